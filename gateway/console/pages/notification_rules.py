"""Rules by which a person, or everybody of the authority, is told: a list of cards, and one form for a rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.agreed import agreed, nodes_of
from gateway.console.form import Form
from gateway.console.page import client, form, has_role, page_route, redirect, render
from gateway.console.pages.new_alert import TYPOLOGIES
from gateway.console.pages.operations.parts import OPERATOR
from gateway.console.views.words import capitalised
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.translation.labels import TYPOLOGY, label
from gateway.translation.messages import N_, listed
from gateway.translation.messages import gettext as _
from gateway.translation.notification_texts import KIND_NAMES, answer_text
from gateway.v1.alert_pb2 import Priority
from gateway.v1.notification_service_pb2 import (
    DeliveryAnswer,
    GetNotificationRulesResponse,
    NotificationAudience,
    NotificationChannel,
    NotificationKind,
    NotificationRule,
    OutboxState,
)

PATH: Final = "/notifications/rules"
SHARED_ROLES: Final = ("supervisor", "operator")
"""Roles that set the authority's rules."""

WAYS_ROLES: Final = ("operator", "supervisor", "auditor")
"""Roles that see how e-mail, webhooks and the outbox stand."""

ROLE_NAMES: Final = {
    "publisher": N_("publishers"),
    "officer": N_("officers"),
    "analyst": N_("analysts"),
    "supervisor": N_("supervisors"),
    "auditor": N_("auditors"),
    "operator": N_("operators"),
}
_PRIORITIES: Final = ("A", "B", "C")


@dataclass(frozen=True, slots=True)
class ShownRule:
    """A rule in words; `path` leads to its form, empty where the person may not change it."""

    kinds: str
    conditions: str
    ways: str
    audience: str
    path: str


async def show(request: Request) -> Response:
    """Own rules and the authority's."""
    known = await client(request).notifications.rules()
    may_share = has_role(request, *SHARED_ROLES)
    sees_ways = has_role(request, *WAYS_ROLES)
    return render(
        request,
        "notifications/rules.html",
        title=_("Rules of notifications"),
        own=[_shown(rule, f"{PATH}/own/{at}" if known.are_own else "") for at, rule in enumerate(known.rules)],
        are_own=known.are_own,
        shared=[_shown(rule, f"{PATH}/shared/{at}" if may_share else "") for at, rule in enumerate(known.shared)],
        may_share=may_share,
        email=known.email,
        sees_ways=sees_ways,
        ways=[(_way_name(one.way), one) for one in await _ways(request)] if sees_ways else (),
        may_test=has_role(request, OPERATOR),
    )


async def test_delivery(request: Request) -> Response:
    """Sends a test message to a webhook, or to the person's address, and shows what became of it."""
    webhook = form(request).text("webhook")
    response = await client(request).notifications.test_delivery(webhook)
    return render(
        request,
        "notifications/test.html",
        title=_("Test message"),
        response=response,
        way=_way_name(response.way),
        webhook=webhook,
        text=answer_text(response),
        is_delivered=response.answer == DeliveryAnswer.DELIVERY_ANSWER_TAKEN,
    )


async def _ways(request: Request) -> Sequence[OutboxState]:
    return (await client(request).notifications.outbox_state()).ways


def _way_name(way: str) -> str:
    """A way in words."""
    kind, _slash, name = way.partition("/")
    if name:
        return _("webhook {name}", name=name)
    return _("e-mail") if kind == "email" else _("outbox")


async def ask(request: Request) -> Response:
    """The form of a rule: a new one, or one of the list by its place."""
    known = await client(request).notifications.rules()
    rule = _rule_of(request, known)
    return await _form_page(request, known, _form_of(rule))


async def take(request: Request) -> Response:
    """Keeps a rule."""
    sent = form(request)
    acting = client(request)
    known = await acting.notifications.rules()
    rule = _read(sent, is_shared=_is_shared(request))
    if not sent.is_good:
        return await _form_page(request, known, sent, status=422)
    rules = list(_rules(request, known))
    at = _place(request, rules)
    rules[at : at + 1] = [rule]
    try:
        await _put(request, acting, rules)
    except InvalidRequestError as error:
        sent.add_violations(error, {f"rules[{at}].audience": "webhook", f"rules[{at}].kinds": "kinds"})
        return await _form_page(request, known, sent, status=422)
    return redirect(PATH)


async def remove(request: Request) -> Response:
    """Removes a rule; without any own one nothing is told but by the authority's rules."""
    acting = client(request)
    rules = list(_rules(request, await acting.notifications.rules()))
    at = _place(request, rules)
    if at >= len(rules):
        raise NotFoundError("there is no such rule")
    del rules[at]
    await _put(request, acting, rules)
    return redirect(PATH)


async def reset(request: Request) -> Response:
    """Lets the rules by default hold again, or none."""
    await client(request).notifications.set_rules([], nothing=form(request).text("nothing") == "yes")
    return redirect(PATH)


async def _put(request: Request, acting: GatewayClient, rules: Iterable[NotificationRule]) -> None:
    kept = list(rules)
    if _is_shared(request):
        await acting.notifications.set_shared_rules(kept)
    else:
        await acting.notifications.set_rules(kept, nothing=not kept)


async def _form_page(
    request: Request, known: GetNotificationRulesResponse, sent: Form, *, status: int = 200
) -> Response:
    is_shared = _is_shared(request)
    kinds = [kind for kind in NotificationKind.values() if kind] if is_shared else known.kinds
    return render(
        request,
        "notifications/rule.html",
        title=_("Rule of the authority") if is_shared else _("Own rule"),
        status=status,
        form=sent,
        is_shared=is_shared,
        action=request.url.path,
        partners=(await agreed(request)).partner_options(nodes_of(sent, "partners")),
        removable=request.path_params.get("at", "new") != "new",
        typologies=[
            (word, capitalised(label(TYPOLOGY, word)), "")
            for word in dict.fromkeys((*TYPOLOGIES, *sent.all("typologies")))
        ],
        kinds=[(NotificationKind.Name(kind), _(KIND_NAMES[kind]), "") for kind in kinds],
        priorities=[(letter, _("Priority {letter}", letter=letter), "") for letter in _PRIORITIES],
        roles=[(role, _(name), "") for role, name in ROLE_NAMES.items()],
        webhooks=[(name, name) for name in known.webhooks],
        email=known.email,
    )


def _form_of(rule: NotificationRule | None) -> Form:
    if rule is None:
        return Form()
    by_mail = NotificationChannel.NOTIFICATION_CHANNEL_EMAIL in rule.channels
    audience = rule.audience
    return Form(
        {
            "kinds": [NotificationKind.Name(kind) for kind in rule.kinds],
            "priorities": [Priority.Name(value).removeprefix("PRIORITY_") for value in rule.priorities],
            "typologies": list(rule.typologies),
            "partners": list(rule.partners),
            "assigned": ["yes"] if rule.assigned_to_me else [],
            "email": ["yes"] if by_mail else [],
            "audience": [audience.WhichOneof("audience") or ""],
            "role": [audience.role],
            "recipient": [audience.recipient],
            "webhook": [audience.webhook],
        }
    )


def _read(sent: Form, *, is_shared: bool) -> NotificationRule:
    """The rule of a form; what is wrong is noted there."""
    known = dict(NotificationKind.items())
    kinds = [known[name] for name in sent.all("kinds") if known.get(name)]
    if not kinds:
        sent.problems["kinds"] = _("Choose what is told, at least one.")
    rule = NotificationRule(
        kinds=sorted(set(kinds)),
        priorities=[Priority.Value(f"PRIORITY_{one}") for one in sent.all("priorities") if one in _PRIORITIES],
        typologies=sent.all("typologies"),
        partners=nodes_of(sent, "partners"),
        assigned_to_me=sent.text("assigned") == "yes",
        channels=[NotificationChannel.NOTIFICATION_CHANNEL_EMAIL] if sent.text("email") == "yes" else [],
    )
    if is_shared:
        rule.audience.CopyFrom(_audience(sent))
    return rule


def _audience(sent: Form) -> NotificationAudience:
    match sent.text("audience"):
        case "role":
            return NotificationAudience(role=sent.required("role"))
        case "recipient":
            return NotificationAudience(recipient=sent.required("recipient"))
        case "assignee":
            return NotificationAudience(assignee=True)
        case "webhook":
            return NotificationAudience(webhook=sent.required("webhook"))
        case _:
            sent.problems["audience"] = _("Choose whom the rule reaches.")
            return NotificationAudience()


def _rule_of(request: Request, known: GetNotificationRulesResponse) -> NotificationRule | None:
    rules = _rules(request, known)
    at = _place(request, rules)
    return rules[at] if at < len(rules) else None


def _rules(request: Request, known: GetNotificationRulesResponse) -> Sequence[NotificationRule]:
    if _is_shared(request):
        return known.shared
    return known.rules if known.are_own else ()


def _place(request: Request, rules: Sequence[NotificationRule]) -> int:
    """Which rule; the one after the last for a new one."""
    text = request.path_params["at"]
    if text == "new":
        return len(rules)
    if text.isascii() and text.isdecimal() and int(text[:4]) < len(rules):
        return int(text)
    raise NotFoundError("there is no such rule")


def _is_shared(request: Request) -> bool:
    return bool(request.path_params.get("scope") == "shared")


def _shown(rule: NotificationRule, path: str) -> ShownRule:
    conditions = []
    if rule.priorities:
        letters = listed(Priority.Name(value).removeprefix("PRIORITY_") for value in rule.priorities)
        conditions.append(_("priority {letters}", letters=letters))
    if rule.typologies:
        conditions.append(_("typology {codes}", codes=listed(label(TYPOLOGY, one) for one in rule.typologies)))
    if rule.partners:
        conditions.append(_("partner {names}", names=listed(name.upper() for name in rule.partners)))
    if rule.assigned_to_me:
        conditions.append(_("assigned to the one who is told"))
    by_mail = NotificationChannel.NOTIFICATION_CHANNEL_EMAIL in rule.channels
    return ShownRule(
        kinds=listed(_(KIND_NAMES.get(kind, "")) for kind in rule.kinds),
        conditions="; ".join(conditions) or _("all"),
        ways=_("in the console and by e-mail") if by_mail else _("in the console"),
        audience=_audience_text(rule),
        path=path,
    )


def _audience_text(rule: NotificationRule) -> str:
    audience = rule.audience
    match audience.WhichOneof("audience"):
        case "role":
            return _(ROLE_NAMES.get(audience.role, audience.role))
        case "recipient":
            return audience.recipient
        case "assignee":
            return _("whoever the alert is assigned to")
        case "webhook":
            return _("webhook {name}", name=audience.webhook)
        case _:
            return ""


routes = [
    page_route(PATH, show),
    page_route(f"{PATH}/reset", reset, methods=("POST",)),
    page_route("/notifications/test", test_delivery, methods=("POST",)),
    page_route(PATH + "/{scope}/{at}", ask),
    page_route(PATH + "/{scope}/{at}", take, methods=("POST",)),
    page_route(PATH + "/{scope}/{at}/remove", remove, methods=("POST",)),
]
