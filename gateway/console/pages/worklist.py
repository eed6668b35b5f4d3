"""What is done with one or several alerts of the inbox: acknowledge, undo, assign, close; and what came of it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.client.casework import ME, NOBODY
from gateway.console.form import own_path
from gateway.console.listing import MOST_CHARS, MOST_ROWS, asked_list, key_of, with_done
from gateway.console.page import client, console_of, form, page_route, redirect, render
from gateway.console.pages.alert.step_forms import choice, step_choices
from gateway.console.pages.inbox import MAX_SELECTED
from gateway.console.views.alerts.alert import ENDED, title_of
from gateway.console.views.alerts.field_names import error_text
from gateway.contract.enum_words import word_of
from gateway.errors import GatewayError, Kind
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertReference, AlertStatus, CloseOutcome
from gateway.v1.casework_service_pb2 import InboxRow, ScheduledAcknowledgement

CLOSED_AT_ONCE: Final = 8
"""Calls at a time: their steps share commits."""

_OF_ALL: Final = frozenset({Kind.UNAUTHENTICATED, Kind.PERMISSION_DENIED, Kind.UNAVAILABLE, Kind.UNIMPLEMENTED})
"""Kinds of errors that a page of its own tells: they say nothing of one alert."""


@dataclass(frozen=True, slots=True)
class ChosenAlert:
    """An alert as a form names it, `publisher/id/revision`: what its row or page showed."""

    publisher: str
    alert_id: str
    revision: int

    @classmethod
    def of(cls, text: str) -> ChosenAlert:
        publisher, alert_id, revision = [*text[:120].split("/"), "", ""][:3]
        return cls(publisher, alert_id, int(revision) if revision.isdecimal() and revision.isascii() else 0)

    @property
    def reference(self) -> AlertReference:
        return AlertReference(publisher=self.publisher, alert_id=self.alert_id)

    @property
    def key(self) -> tuple[str, str]:
        return self.publisher, self.alert_id

    @property
    def text(self) -> str:
        return f"{self.publisher}/{self.alert_id}/{self.revision}"


@dataclass(frozen=True, slots=True)
class ResultLine:
    """What came of one alert."""

    title: str
    path: str
    case_reference: str
    text: str
    is_done: bool


async def acknowledge(request: Request) -> Response:
    """Acknowledges the chosen alerts, or the one whose button was pressed; each can be undone before it leaves."""
    chosen, back = _chosen(request), _back(request)
    if not chosen:
        return redirect(with_done(back, "none"))
    rows = await _rows(request, back)
    outcomes = await client(request).casework.acknowledge((one.reference, one.revision) for one in chosen)
    by_key = {(one.alert.publisher, one.alert.alert_id): one for one in outcomes}
    if form(request).text("one") and all(one.HasField("scheduled") for one in outcomes):
        return redirect(back)  # the row and the page say it themselves
    done = {one.key for one in chosen if by_key[one.key].HasField("scheduled")}
    texts = {key: error_text(one.refused) for key, one in by_key.items()}
    texts |= {key: _("Acknowledged; leaves in {seconds} s.", seconds=_waits_s(by_key[key].scheduled)) for key in done}
    lines = _lines(chosen, rows, texts, done)
    undo = [one.text for one in chosen if one.key in done]
    return _result(request, _("Acknowledge"), lines, back=back, undo=undo)


async def undo(request: Request) -> Response:
    """Undoes acknowledgements that wait, or dismisses those that weren't sent."""
    chosen, back = _chosen(request), _back(request)
    if not chosen:
        return redirect(with_done(back, "none"))
    rows = await _rows(request, back)
    outcomes = await client(request).casework.undo_acknowledgements(one.reference for one in chosen)
    by_key = {(one.alert.publisher, one.alert.alert_id): one for one in outcomes}
    if not any(one.HasField("refused") for one in outcomes):
        return redirect(with_done(back, "undone"))
    done = {key for key, one in by_key.items() if not one.HasField("refused")}
    texts = {key: _("Undone.") if key in done else error_text(one.refused) for key, one in by_key.items()}
    return _result(request, _("Undo"), _lines(chosen, rows, texts, done), back=back)


async def assign(request: Request) -> Response:
    """Assigns the chosen alerts, or takes the one whose button was pressed."""
    sent, back = form(request), _back(request)
    chosen = _chosen(request, one="take")
    if not chosen:
        return redirect(with_done(back, "none"))
    assignee = ME if sent.text("take") else sent.text("assignee")
    rows = await _rows(request, back) if len(chosen) > 1 else {}
    response = await client(request).casework.assign(
        [one.reference for one in chosen], NOBODY if assignee == "nobody" else assignee
    )
    if len(chosen) == 1:
        return redirect(with_done(back, "assigned" if response.changed else "unchanged"))
    done = {one.key for one in chosen}
    return _result(request, _("Assign"), _lines(chosen, rows, dict.fromkeys(done, _("Assigned.")), done), back=back)


async def close(request: Request) -> Response:
    """Closes the chosen own alerts with one outcome: a form, then what will be sent to whom, then each, once."""
    sent, back, chosen = form(request), _back(request), _chosen(request)
    if not chosen:
        return redirect(with_done(back, "none"))
    rows = await _rows(request, back)
    own = [one for one in chosen if one.publisher == console_of(request).client.node_name and _is_open(rows, one)]
    outcome = choice(sent, "outcome", CloseOutcome) if sent.text("step") else 0
    if sent.text("step") and sent.is_good and sent.text("confirmed") and not sent.text("edit"):
        texts = await _close_all(request, own, outcome)
        done = {key for key, text in texts.items() if not text}
        said = {key: text or _("Closed.") for key, text in texts.items()}
        return _result(request, _("Close"), _lines(chosen, rows, said, done, other=_not_closable()), back=back)
    asks = not sent.text("step") or not sent.is_good or bool(sent.text("edit"))
    if not sent.text("request_id"):
        sent.values["request_id"] = [new_request_id()]
    return render(
        request,
        "inbox/close.html",
        title=_("Close alerts"),
        status=200 if sent.is_good else 422,
        form=sent,
        asks=asks,
        lines=_lines(own, rows, {}, set()),
        others=_lines([one for one in chosen if one not in own], rows, {}, set()),
        recipients=sorted({rows[one.key].partner for one in own if one.key in rows}),
        alerts=[one.text for one in chosen],
        outcomes=step_choices()["outcome"],
        outcome_text=next(
            (text for word, text, _more in step_choices()["outcome"] if word == sent.text("outcome")), ""
        ),
        back=back,
    )


async def _close_all(request: Request, chosen: Sequence[ChosenAlert], outcome: int) -> dict[tuple[str, str], str]:
    """Closes alerts; why not, empty where it was closed.

    The request ids follow from the form's: sent again, it closes nothing twice.
    """
    sent, gate = form(request), asyncio.Semaphore(CLOSED_AT_ONCE)
    sending = _uuid(sent.text("request_id"))

    async def close_one(one: ChosenAlert) -> str:
        try:
            async with gate:
                await client(request).close_alert(
                    one.alert_id,
                    revision=one.revision,
                    outcome=outcome,  # type: ignore[arg-type]
                    remarks=sent.text("remarks"),
                    request_id=str(uuid.uuid5(sending, one.text)),
                )
        except GatewayError as error:
            if error.kind in _OF_ALL:
                raise
            return error_text(error)
        return ""

    return dict(zip([one.key for one in chosen], await asyncio.gather(*map(close_one, chosen)), strict=True))


def _waits_s(one: ScheduledAcknowledgement) -> int:
    return (one.leaves_at.ToMilliseconds() - one.asked_at.ToMilliseconds()) // 1000


def _not_closable() -> str:
    return _("Not closed: it is a partner's alert, or has ended.")


def _is_open(rows: Mapping[tuple[str, str], InboxRow], one: ChosenAlert) -> bool:
    row = rows.get(one.key)
    return row is None or word_of(AlertStatus, row.summary.status) not in ENDED


def _chosen(request: Request, *, one: str = "one") -> list[ChosenAlert]:
    """The alert whose button was pressed, or those that were chosen, each once."""
    sent = form(request)
    pressed = sent.text(one)
    texts = [pressed] if pressed else sent.all("alert")[:MAX_SELECTED]
    return list({chosen.key: chosen for chosen in map(ChosenAlert.of, texts)}.values())


def _back(request: Request) -> str:
    return own_path(form(request).text("back"), "/inbox")


async def _rows(request: Request, back: str) -> Mapping[tuple[str, str], InboxRow]:
    """Rows of the list that a form was sent from, before anything is done; none for another page."""
    parts = urlsplit(back)
    if parts.path != "/inbox" or len(parts.query) > MOST_CHARS:
        return {}
    asked = await asked_list(client(request), QueryParams(parts.query))
    page = await asked.page(client(request), size=MOST_ROWS, with_facets=False)
    return {key_of(row): row for row in [*page.unsent, *page.rows]}


def _lines(
    chosen: Sequence[ChosenAlert],
    rows: Mapping[tuple[str, str], InboxRow],
    texts: Mapping[tuple[str, str], str],
    done: set[tuple[str, str]],
    *,
    other: str = "",
) -> list[ResultLine]:
    """Lines of a result, what wasn't done first; `other`: of alerts without a text."""
    lines = []
    for one in chosen:
        row = rows.get(one.key)
        alert = row.summary.alert if row is not None else None
        lines.append(
            ResultLine(
                title=title_of(alert) if alert is not None else _("an alert of {node}", node=one.publisher.upper()),
                path=f"/alerts/{one.publisher}/{one.alert_id}",
                case_reference=alert.content.case_reference if alert is not None else "",
                text=texts.get(one.key, other),
                is_done=one.key in done,
            )
        )
    return sorted(lines, key=lambda line: line.is_done)


def _result(
    request: Request, act: str, lines: Sequence[ResultLine], *, back: str, undo: Sequence[str] = ()
) -> Response:
    context: dict[str, Any] = {"act": act, "lines": lines, "done_count": sum(line.is_done for line in lines)}
    return render(request, "inbox/result.html", title=act, back=back, undo=undo, **context)


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(new_request_id())


routes = [
    page_route("/inbox/acknowledge", acknowledge, methods=("POST",)),
    page_route("/inbox/undo", undo, methods=("POST",)),
    page_route("/inbox/assign", assign, methods=("POST",)),
    page_route("/inbox/close", close, methods=("POST",)),
]
