"""Keeps what a person has written in a form on the gateway until it is sent, so that leaving its page loses nothing.

A form that is kept carries `draft_id`. A script sends its fields every few seconds; whenever the form comes back
without being done, they are kept too; once it is done, which leads to another page, its draft goes.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.console.form import Form
from gateway.console.shown import PREFIX
from gateway.errors import GatewayError
from gateway.translation.messages import gettext as _
from gateway.v1.casework_service_pb2 import DraftField, FormDraft

log = logging.getLogger(__name__)

PATH: Final = "/drafts"

SEE_OTHER: Final = 303

MAX_SUMMARY_CHARS: Final = 120

_NOT_KEPT: Final = frozenset({"csrf", "confirmed", "approval", "edit", "do", "draft_form"})
"""Fields of one sending."""

_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[], str]], ...]] = (
    (re.compile(r"/alerts/new/upload"), lambda: _("New alert")),
    (re.compile(r"/watchlists/new"), lambda: _("New entry")),
    (re.compile(r"/watchlists/amend/[^/]+/.+"), lambda: _("Amend an entry")),
    (re.compile(r"/alerts/[^/]+/[^/]+/finding(/upload)?"), lambda: _("Report a finding")),
    (re.compile(r"/alerts/[^/]+/[^/]+/answer/[^/]+(/upload)?"), lambda: _("Answer the question")),
    (re.compile(r"/alerts/[^/]+/[^/]+/ask"), lambda: _("Ask a question")),
    (re.compile(r"/alerts/[^/]+/[^/]+/flag"), lambda: _("Say why you can't act")),
    (re.compile(r"/alerts/[^/]+/[^/]+/close"), lambda: _("Close this alert")),
    (re.compile(r"/alerts/[^/]+/[^/]+/withdraw"), lambda: _("Withdraw this alert")),
    (re.compile(r"/alerts/[^/]+/[^/]+/amend"), lambda: _("Amend this alert")),
)
"""Where forms go that are kept, and what each is."""

_FIRST_WORDS: Final = ("case_reference", "names-0-text", "text", "remarks", "reason", "narrative-en")
"""Fields that say best what a form is about."""


_CHOICE: Final = re.compile(r"[a-z]+(_[a-z]+)*", re.ASCII)
"""A word of a list that somebody chose from."""


def title_of(form: str) -> str:
    """What a form is by where it goes, a path perhaps with a query; empty for one that isn't kept."""
    path = form.partition("?")[0]
    return next((title() for pattern, title in _FORMS if pattern.fullmatch(path)), "")


def draft_path(draft_id: str) -> str:
    """The page that goes on with a draft."""
    return f"{PATH}/{draft_id}"


def draft_id_of(request: Request) -> str:
    """The id that the form of a page has, or gets."""
    return _id_in(request.state.form) or new_request_id()


def way_back(request: Request) -> str:
    """Where a page is found again by its address: of a form that came back, with what was written in it."""
    draft_id = _id_in(request.state.form)
    if request.method == "POST" and draft_id and title_of(request.url.path):
        return draft_path(draft_id)
    if request.method == "POST" and request.state.session is not None:
        return f"{PREFIX}/{request.state.shown}"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def draft_of(sent: Form, goes_to: str) -> FormDraft | None:
    """What a form says, to be kept; None for a form that isn't kept."""
    draft_id = _id_in(sent)
    if not draft_id or not title_of(goes_to):
        return None
    fields = [
        DraftField(name=name, value=value)
        for name, values in sent.values.items()
        if name not in _NOT_KEPT
        for value in values
    ]
    return FormDraft(draft_id=draft_id, form=goes_to, fields=fields, summary=_summary(sent))


async def keep_or_forget(request: Request, response: Response) -> Response:
    """After a form was taken: a page that leads on has done it, on any other it isn't done yet."""
    sent, session = request.state.form, request.state.session
    goes_to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    draft = draft_of(sent, goes_to) if request.method == "POST" and session is not None else None
    done = response.status_code == SEE_OTHER and request.method == "POST" and not request.url.path.startswith(PATH)
    try:
        if done and session is not None and _id_in(sent):
            await session.client.casework.delete_draft(_id_in(sent))
        elif draft is not None:
            await session.client.casework.save_draft(draft)
    except GatewayError as error:  # the form itself went its way
        log.info("a draft couldn't be kept or deleted: %s", error.message)
    return response


def _id_in(sent: Form) -> str:
    text = sent.raw("draft_id")
    try:
        return str(UUID(text))
    except ValueError:
        return ""


def _summary(sent: Form) -> str:
    """The first words that somebody wrote."""
    texts = map(sent.text, _FIRST_WORDS)
    written = [text for text in texts if text and not _CHOICE.fullmatch(text)]
    return written[0][:MAX_SUMMARY_CHARS] if written else ""


def in_words(drafts: Iterable[FormDraft]) -> list[tuple[FormDraft, str]]:
    """Drafts that can be gone on with, each with what it is."""
    return [(draft, title) for draft in drafts if (title := title_of(draft.form))]
