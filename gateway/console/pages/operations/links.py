"""One link: its facts, the evidence of a quarantine, and what an operator can do, each asked before it is done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import Form
from gateway.console.page import client, form, has_role, page_route, redirect, render
from gateway.console.pages.operations.parts import OPERATOR
from gateway.console.views.partner_links import state_of
from gateway.errors import NotFoundError
from gateway.files import stored_zip
from gateway.translation.messages import N_, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.node_service_pb2 import Link, LinkState

LONGEST_REASON: Final = 1_000

_NUMBER: Final = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class LinkAction:
    """Something that an operator does with a link.

    Attributes:
        needs_reason: whether the audit log gets a reason in words.
        is_grave: whether partners or officers feel it at once.
    """

    name: str
    title: str
    explanation: str
    needs_reason: bool = False
    is_grave: bool = False


ACTIONS: Final = {
    action.name: action
    for action in (
        LinkAction(
            "suspend",
            N_("Suspend the link"),
            N_("Nothing is exchanged over it until it is resumed. Publishing still succeeds; what waits goes later."),
            needs_reason=True,
            is_grave=True,
        ),
        LinkAction("resume", N_("Resume the link"), N_("It is exchanged over it again, from where it was.")),
        LinkAction(
            "resolve",
            N_("Resolve the quarantine"),
            N_("The partner's batches are taken again. Examine the evidence first, and know the cause."),
            needs_reason=True,
            is_grave=True,
        ),
        LinkAction(
            "recover",
            N_("Recover the feed"),
            N_("Own entries that this database lacks are fetched back from the partner. It may take minutes."),
        ),
    )
}


async def show(request: Request) -> Response:
    """A link."""
    link = await _link(request)
    word, kind = state_of(link)
    return render(
        request,
        "operations/link.html",
        title=_("Link to {partner}", partner=link.partner.upper()),
        link=link,
        word=word,
        kind=kind,
        origin=quote(link.origin, safe=""),
        actions=[(action.name, _(action.title)) for action in _possible(link)] if has_role(request, OPERATOR) else [],
        done=_(_DONE.get(request.query_params.get("done", ""), "")),
        recovered=_recovered(request) if request.query_params.get("done") == "recover" else [],
    )


async def ask(request: Request) -> Response:
    """What an action does, and whether it is to be done."""
    return await _ask_page(request, Form())


async def act(request: Request) -> Response:
    """Does it."""
    sent, action, node = form(request), _action(request), client(request).node
    origin = request.query_params.get("origin", "")
    reason = sent.required("reason", _("Say why: the audit log keeps it.")) if action.needs_reason else ""
    if len(reason) > LONGEST_REASON:
        sent.problems["reason"] = _("At most {number} characters.", number=LONGEST_REASON)
    if not sent.is_good:
        return await _ask_page(request, sent, status=422)
    match action.name:
        case "suspend":
            await node.suspend_link(origin, reason=reason)
        case "resume":
            await node.resume_link(origin)
        case "resolve":
            await node.resolve_quarantine(origin, reason=reason)
        case _:
            numbers = await node.recover_feed(origin)
            told = {"fetched": numbers.recovered, "waiting": numbers.waiting, "lost": numbers.lost}
            return redirect(_href(origin, action, **told))
    return redirect(_href(origin, action))


async def evidence(request: Request) -> Response:
    """The files that prove why a feed is in quarantine, as an archive."""
    origin = request.query_params.get("origin", "")
    files = await client(request).node.quarantine_evidence(origin)
    name = "quarantine-" + "".join(c if c.isalnum() else "-" for c in origin)[-100:] + ".zip"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(stored_zip(files), media_type="application/zip", headers=headers)


async def _ask_page(request: Request, sent: Form, *, status: int = 200) -> Response:
    action, link = _action(request), await _link(request)
    return render(
        request,
        "operations/link_action.html",
        title=_(action.title),
        status=status,
        form=sent,
        link=link,
        action=action,
        explanation=_(action.explanation),
        path=request.url.path,
        origin=quote(link.origin, safe=""),
    )


def _href(origin: str, action: LinkAction, **numbers: int) -> str:
    return "/operations/link?" + urlencode({"origin": origin, "done": action.name, **numbers})


def _recovered(request: Request) -> list[str]:
    """What a recovery brought back and what it couldn't, in sentences."""
    texts = {name: request.query_params.get(name, "") for name in ("fetched", "waiting", "lost")}
    numbers = {name: int(text) if _NUMBER.fullmatch(text) else 0 for name, text in texts.items()}
    fetched, waiting, lost = numbers.values()
    sentences = [ngettext("{number} entry was fetched back.", "{number} entries were fetched back.", fetched)]
    if waiting:
        sentences.append(
            ngettext(
                "{number} entry waits for entries of the partner, which the link delivers; publishing resumes then.",
                "{number} entries wait for entries of the partner, which the link delivers; publishing resumes then.",
                waiting,
            )
        )
    if lost:
        sentences.append(
            ngettext(
                "{number} entry that this node had signed is held by nobody any more.",
                "{number} entries that this node had signed are held by nobody any more.",
                lost,
            )
        )
    return sentences


async def _link(request: Request) -> Link:
    origin = request.query_params.get("origin", "")
    for link in await client(request).node.links():
        if link.origin == origin:
            return link
    raise NotFoundError("there is no such link")


def _action(request: Request) -> LinkAction:
    action = ACTIONS.get(request.path_params["action"])
    if action is None:
        raise NotFoundError("there is no such action")
    return action


def _possible(link: Link) -> list[LinkAction]:
    names = ["resume"] if link.suspension or link.state == LinkState.LINK_STATE_SUSPENDED else ["suspend"]
    if link.state == LinkState.LINK_STATE_QUARANTINED and link.direction == "in":
        names.append("resolve")
    if link.direction == "out" and (link.state == LinkState.LINK_STATE_RECOVERY_REQUIRED or link.waiting):
        names.append("recover")
    return [ACTIONS[name] for name in names]


_DONE: Final = {
    "suspend": N_("The link is suspended."),
    "resume": N_("The link was resumed."),
    "resolve": N_("The quarantine was resolved."),
    "recover": N_("The feed was recovered."),
}

routes = [
    page_route("/operations/link", show),
    page_route("/operations/link/evidence", evidence),
    page_route("/operations/link/{action}", ask),
    page_route("/operations/link/{action}", act, methods=("POST",)),
]
