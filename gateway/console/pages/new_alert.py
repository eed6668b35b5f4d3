"""A new alert: a form that knows codes and agreements, a page that says who will get what, and then it is sent.

It begins empty, as a copy (`?copy=PUBLISHER/ID`), with an own alert to amend (`?amend=ID`), or with a draft that
another page hands over (POST `/alerts/new/draft`). It works without script: its buttons send
the form, and it comes back.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from google.protobuf.message import DecodeError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.client import AlertReference, new_request_id
from gateway.console.attaching import attached_files
from gateway.console.flow import Carried, Flow
from gateway.console.form import Form
from gateway.console.navigation import NavigationEntry
from gateway.console.page import client, console_of, form, page_route, reader_locale, redirect, render, rendered
from gateway.console.pages.law import suggested_by_goods
from gateway.console.views.alerts.alert_form import AlertInput, enum_options, read_form, shown
from gateway.console.views.alerts.alert_preview import agreement_text, purposes_of, recipient_rows
from gateway.console.views.alerts.alert_rows import ROWS
from gateway.console.views.codes import commodity_codes, places, substances
from gateway.console.views.form_rows import replace_all, row_count
from gateway.console.views.remarks import remark_on, remark_on_sought, remarks_of
from gateway.console.views.words import capitalised, goods_text
from gateway.errors import InvalidRequestError, OptionError, Violation
from gateway.translation.identifier_words import scheme_word
from gateway.translation.labels import PURPOSE, TYPOLOGY, label
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import (
    AlertContent,
    Classification,
    OnwardTransfer,
    Priority,
    RequestedAction,
)
from gateway.v1.alert_service_pb2 import AlertAgreement, PreviewAlertResponse
from gateway.v1.goods_pb2 import ShipmentReferenceKind, TransportMode
from gateway.v1.party_pb2 import PartyRole
from gateway.v1.trace_pb2 import DraftAlert

MAX_CONTENT_CHARS: Final = 512 * 1024
"""Longest content in a form, in base64."""

VALID_DAYS: Final = 30
"""Days that a new alert is valid where nothing else is said."""

TYPOLOGIES: Final = (
    "false_declaration",
    "concealment",
    "transshipment",
    "undervaluation",
    "licence_misuse",
    "other",
)
_MEANS_SCHEMES: Final = ("hk_vehicle_plate", "mo_vehicle_plate", "cn_cross_border_plate", "imo_ship", "mmsi", "other")
PARTY_SCHEMES: Final = (
    *("uscc", "cn_customs_registration", "hk_brn", "hk_cr_no", "aeo", "lei"),
    *("cn_resident_id", "hkid", "mo_bir", "other"),
)


@dataclass(slots=True)
class AlertDraft:
    """What a form is about.

    Attributes:
        base: the content that the form began with.
        amends: own alert that is amended; empty for a new one.
        revision: of it.
        recipients: to whom it goes to begin with.
        to_complete: paths that the draft's maker couldn't fill in.
    """

    base: AlertContent
    amends: str = ""
    revision: int = 0
    recipients: tuple[str, ...] = ()
    to_complete: tuple[str, ...] = ()

    @classmethod
    def in_form(cls, sent: Form) -> AlertDraft:
        """The one that a form carries."""
        revision = sent.text("revision")
        return cls(
            base=decoded(sent.raw("base"), AlertContent()),
            amends=sent.text("amends"),
            revision=int(revision) if revision.isdecimal() and len(revision) < 10 else 0,
        )


@dataclass(frozen=True, slots=True)
class ReadAlert:
    """What a form says, and what the gateway says of it."""

    content: AlertContent
    recipients: list[str]
    preview: PreviewAlertResponse


def decoded(text: str, message: Any) -> Any:
    """A message that a form carries as base64.

    Raises:
        OptionError: it isn't one.
    """
    if len(text) > MAX_CONTENT_CHARS:
        raise OptionError(_("The draft is too large."))
    try:
        message.ParseFromString(urlsafe_b64decode(text.encode("ascii", "replace")))
    except (Base64Error, ValueError, DecodeError) as error:
        raise OptionError(_("The draft can't be read; begin again.")) from error
    return message


def encoded(message: Any) -> str:
    """A message as a form carries it."""
    return urlsafe_b64encode(message.SerializeToString()).decode()


async def _draft(request: Request) -> AlertDraft:
    """The draft that a form carries; before it, an empty one, a copy, or an own alert to amend."""
    if request.method == "POST":
        sent = form(request)
        request.state.files = await attached_files(
            request, sent, purpose=sent.text("purpose"), case_reference=sent.text("case_reference")
        )
        return AlertDraft.in_form(sent)
    query, own_node = request.query_params, console_of(request).client.node_name
    if query.get("copy"):
        publisher, _slash, alert_id = query["copy"].partition("/")
        found = await client(request).get_alert(AlertReference(publisher=publisher, alert_id=alert_id))
        content = found.alert.content
        if publisher != own_node:  # what a partner said goes on by its rule alone
            content.derived_from.add(publisher=publisher, alert_id=alert_id)
        for name in ("reply_by", "valid_until", "evidence"):
            content.ClearField(name)
        return AlertDraft(content)
    if query.get("amend"):
        found = await client(request).get_alert(AlertReference(publisher=own_node, alert_id=query["amend"]))
        recipients = tuple(delivery.recipient for delivery in found.deliveries)
        return AlertDraft(found.alert.content, found.alert.id, found.alert.revision, recipients)
    return AlertDraft(AlertContent())


async def from_draft(request: Request) -> Response:
    """The form with a draft of a trace, a rule's hit or a match."""
    made = decoded(form(request).raw("draft"), DraftAlert())
    draft = AlertDraft(made.content, recipients=tuple(made.recipients), to_complete=tuple(made.to_complete))
    first = await _first(request, draft)
    return await _show(request, draft, Form.with_values({"request_id": new_request_id(), **first}), 200)


async def _first(request: Request, draft: AlertDraft) -> dict[str, str | list[str]]:
    content = draft.base
    if not content.HasField("valid_until"):
        content.valid_until.FromDatetime((datetime.now(UTC) + timedelta(days=VALID_DAYS)).replace(tzinfo=None))
    values: dict[str, str | list[str]] = {
        **shown(content, reader_locale(request).zone),
        "recipients": list(draft.recipients),
        "evidence": [evidence.sha256.hex() for evidence in content.evidence],
        "file_classes": "INVESTIGATIVE",
    }
    return values if content.handling.onward_transfer else {**values, "onward_transfer": "prohibited"}


async def _read(request: Request, draft: AlertDraft, sent: Form) -> ReadAlert:
    read = read_form(sent, draft.base, reader_locale(request).zone)
    replace_all(read.content.evidence, request.state.files.evidence(draft.base.evidence))
    recipients = sent.all("recipients")
    if not recipients:
        sent.problems["recipients"] = _("Choose who gets it.")
    preview = await client(request).preview(read.content, recipients)
    _note(sent, read, _violations(preview))
    return ReadAlert(read.content, recipients, preview)


def _violations(preview: PreviewAlertResponse) -> list[Violation]:
    return [Violation(one.field, one.rule, one.message) for one in preview.violations]


def _note(sent: Form, read: AlertInput, found: Iterable[Violation]) -> None:
    """Notes violations at the fields that they are about."""
    for violation in found:
        name = read.field_of(violation.field)
        if name not in sent.problems:
            sent.problems[name] = sent.broken(name, violation)


def _note_refusal(sent: Form, draft: AlertDraft, error: InvalidRequestError) -> None:
    found = (replace(each, field=each.field.removeprefix("content.")) for each in error.violations)
    _note(sent, AlertInput(draft.base), found)


async def _check(request: Request, draft: AlertDraft, read: ReadAlert, hidden: Carried) -> Response:
    content, rows = read.content, recipient_rows(read.preview, read.content)
    return render(
        request,
        "new_alert/preview.html",
        title=_("Check before sending"),
        content=content,
        rows=rows,
        can_send=all(row.allowed for row in rows),
        notices=read.preview.notices,
        controlled=await suggested_by_goods(request, content.goods, map(goods_text, content.goods)),
        hidden=hidden,
        back=f"/alerts/{console_of(request).client.node_name}/{draft.amends}" if draft.amends else "/inbox",
        amends=draft.amends,
    )


async def _send(request: Request, draft: AlertDraft, read: ReadAlert) -> Response:
    own, request_id = console_of(request).client.node_name, form(request).text("request_id") or new_request_id()
    if draft.amends:
        await client(request).amend(draft.amends, read.content, revision=draft.revision, request_id=request_id)
        return redirect(f"/alerts/{own}/{draft.amends}?done=amend")
    published = await client(request).publish(read.content, read.recipients, request_id=request_id)
    return redirect(f"/alerts/{own}/{published.alert_id}?done=publish")


async def check(request: Request) -> Response:
    """What is to be said of a value, beside its field, as one types."""
    query = request.query_params
    what, name = query.get("what", ""), query.get("name", "")
    row, value = name.rpartition("-")[0], query.get(name, "")
    if what == "identifier":
        what = query.get(f"{row}-scheme", "")
    if query.get("sought"):
        remark = remark_on_sought(what, value)
    else:
        remark = remark_on(what, value, substance=query.get(f"{row}-substance", ""))
    return HTMLResponse(rendered(request, "new_alert/remark.html", remark=remark))


async def _show(request: Request, draft: AlertDraft, sent: Form, status: int) -> Response:
    preview = await client(request).preview(AlertContent(), [])
    agreements = [one for one in preview.agreements if not draft.amends or one.recipient in sent.all("recipients")]
    files = getattr(request.state, "files", None) or await attached_files(request, sent)
    purposes = [(purpose, label(PURPOSE, purpose)) for purpose in purposes_of(preview.agreements)]
    return render(
        request,
        "new_alert/form.html",
        title=_("Amend an alert") if draft.amends else _("New alert"),
        status=status,
        sent=sent,
        draft=draft,
        base=encoded(draft.base),
        agreements=_recipients(agreements),
        nodes=[
            (node, node.upper(), "")
            for node in dict.fromkeys(
                [*(one.recipient for one in preview.agreements), *draft.base.handling.onward_recipients]
            )
        ],
        purposes=purposes,
        files=files,
        rows={kind.name: range(row_count(sent, kind)) for kind in ROWS},
        remarks=remarks_of(sent, partial(_checked_as, sent)),
        choices=_choices(),
        known={"places": places(), "codes": commodity_codes(), "substances": substances()},
    )


def _recipients(agreements: Iterable[AlertAgreement]) -> list[tuple[str, str, str]]:
    """Partners to choose from, each once, with what its agreements say."""
    texts: dict[str, list[str]] = {}
    for agreement in agreements:
        texts.setdefault(agreement.recipient, []).append(agreement_text(agreement))
    return [(node, node.upper(), " ".join(of_node)) for node, of_node in texts.items()]


def _checked_as(sent: Form, name: str) -> str:
    """The kind of a field's value, for what is said of it beside the field."""
    kind, _dash, rest = name.partition("-")
    field_name = rest.partition("-")[2]
    if kind in ("means", "parties") and field_name == "value":
        return sent.text(name.removesuffix("value") + "scheme")
    return _CHECKED.get((kind, field_name), "")


_CHECKED: Final[Mapping[tuple[str, str], str]] = {
    ("equipment", "id"): "container",
    ("goods", "declared_codes"): "code",
    ("goods", "suspected_codes"): "code",
    ("goods", "substance"): "substance",
    ("goods", "purity_percent"): "purity",
    ("route", "from"): "place",
    ("route", "to"): "place",
}


def _choices() -> dict[str, Any]:
    return {
        "priority": enum_options(Priority),
        "requested_action": enum_options(RequestedAction),
        "classification": enum_options(Classification),
        "onward_transfer": enum_options(OnwardTransfer),
        "kind": enum_options(ShipmentReferenceKind),
        "mode": enum_options(TransportMode),
        "role": enum_options(PartyRole),
        "typologies": [(word, capitalised(label(TYPOLOGY, word)), "") for word in TYPOLOGIES],
        "means_scheme": [(one, scheme_word(one)) for one in _MEANS_SCHEMES],
        "party_scheme": [(one, scheme_word(one)) for one in PARTY_SCHEMES],
    }


PUBLISHERS: Final = frozenset({"publisher", "supervisor"})

_FLOW: Final = Flow(
    subject=_draft, first=_first, show=_show, read=_read, check=_check, send=_send, violations=_note_refusal
)

routes = [
    page_route("/alerts/new", _FLOW.ask, roles=PUBLISHERS),
    page_route("/alerts/new/check", check),
    page_route("/alerts/new/draft", from_draft, methods=("POST",)),
    page_route("/alerts/new/upload", _FLOW.take, methods=("POST",), roles=PUBLISHERS),
]

navigation = NavigationEntry(
    path="/alerts/new",
    title=lambda: _("New alert"),
    icon="new",
    order=20,
    roles=PUBLISHERS,
)
