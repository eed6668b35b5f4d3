"""A new alert: a form that knows codes and agreements, a page that says who will get what, and then it is sent.

It begins empty, as a copy (`?copy=PUBLISHER/ID`), with an own alert to amend (`?amend=ID`), or with a draft that
another page hands over (POST `/alerts/new/draft`). It works without script: its buttons send
the form, and it comes back.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from google.protobuf.message import DecodeError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.client import AlertReference, new_request_id
from gateway.console.attaching import attached_files
from gateway.console.form import Form
from gateway.console.navigation import NavigationEntry
from gateway.console.page import client, console_of, form, page_route, reader_locale, redirect, render, rendered
from gateway.console.pages.law import suggested_by_goods
from gateway.console.views.alerts.alert_form import LANGUAGES, AlertInput, read_form, shown
from gateway.console.views.alerts.alert_preview import agreement_text, purposes_of, recipient_rows
from gateway.console.views.alerts.alert_rows import ROWS
from gateway.console.views.codes import commodity_codes, places, substances
from gateway.console.views.form_rows import row_count
from gateway.console.views.remarks import remark_on, remark_on_sought, remarks_of
from gateway.console.views.words import capitalised, goods_text
from gateway.contract.enum_words import words
from gateway.errors import InvalidRequestError, OptionError, Violation
from gateway.translation.identifier_words import scheme_word
from gateway.translation.labels import PURPOSE, TYPOLOGY, label, label_of
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
        to_complete: paths that the draft's maker couldn't fill in.
    """

    base: AlertContent
    amends: str = ""
    revision: int = 0
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


async def begin(request: Request) -> Response:
    """The form: empty, a copy, or an own alert to amend."""
    query = request.query_params
    if query.get("copy"):
        publisher, _slash, alert_id = query["copy"].partition("/")
        found = await client(request).get_alert(AlertReference(publisher=publisher, alert_id=alert_id))
        content = found.alert.content
        own = publisher == console_of(request).client.node_name
        if not own:  # what a partner said goes on by its rule alone
            content.derived_from.add(publisher=publisher, alert_id=alert_id)
        for name in ("reply_by", "valid_until", "evidence"):
            content.ClearField(name)
        return await _first_view(request, AlertDraft(content), [])
    if query.get("amend"):
        own_node = console_of(request).client.node_name
        found = await client(request).get_alert(AlertReference(publisher=own_node, alert_id=query["amend"]))
        recipients = [delivery.recipient for delivery in found.deliveries]
        draft = AlertDraft(found.alert.content, found.alert.id, found.alert.revision)
        return await _first_view(request, draft, recipients)
    return await _first_view(request, AlertDraft(AlertContent()), [])


async def from_draft(request: Request) -> Response:
    """The form with a draft of a trace, a rule's hit or a match."""
    draft = decoded(form(request).raw("draft"), DraftAlert())
    return await _first_view(
        request, AlertDraft(draft.content, to_complete=tuple(draft.to_complete)), list(draft.recipients)
    )


async def _first_view(request: Request, draft: AlertDraft, recipients: list[str]) -> Response:
    content = draft.base
    if not content.HasField("valid_until"):
        content.valid_until.FromDatetime((datetime.now(UTC) + timedelta(days=VALID_DAYS)).replace(tzinfo=None))
    values = shown(content, reader_locale(request).zone) | {"recipients": recipients, "request_id": [new_request_id()]}
    values["evidence"] = [evidence.sha256.hex() for evidence in content.evidence]
    values["file_classes"] = ["INVESTIGATIVE"]
    if not content.handling.onward_transfer:
        values["onward_transfer"] = ["prohibited"]
    return await _form_page(request, Form(values), draft)


async def take(request: Request) -> Response:
    """The form that was sent: another row, or the page that says who will get what."""
    sent = form(request)
    draft = AlertDraft.in_form(sent)
    files = await attached_files(
        request, sent, purpose=sent.text("purpose"), case_reference=sent.text("case_reference")
    )
    if sent.text("do") != "preview":
        return await _form_page(request, sent, draft)
    read = read_form(sent, draft.base, reader_locale(request).zone)
    content = read.content
    del content.evidence[:]
    content.evidence.extend(files.evidence(draft.base.evidence))
    recipients = sent.all("recipients")
    if not recipients:
        sent.problems["recipients"] = _("Choose who gets it.")
    preview = await client(request).preview(content, recipients)
    _note(sent, read, InvalidRequestError([], "") if not preview.violations else _violations(preview))
    if not sent.is_good:
        return await _form_page(request, sent, draft, preview, status=422)
    return await _preview_page(request, sent, draft, content, preview)


def _violations(preview: PreviewAlertResponse) -> InvalidRequestError:

    return InvalidRequestError([Violation(one.field, one.rule, one.message) for one in preview.violations])


def _note(sent: Form, read: AlertInput, error: InvalidRequestError) -> None:
    """Notes violations at the fields that they are about."""
    for violation in error.violations:
        name = read.field_of(violation.field)
        if name not in sent.problems:
            sent.problems[name] = sent.broken(name, violation)


async def _preview_page(
    request: Request, sent: Form, draft: AlertDraft, content: AlertContent, preview: PreviewAlertResponse
) -> Response:
    rows = recipient_rows(preview, content)
    hidden = {
        "content": encoded(content),
        "recipients": [row.node for row in rows],
        "request_id": sent.text("request_id"),
        "draft_id": sent.text("draft_id"),
        "amends": draft.amends,
        "revision": str(draft.revision),
    }
    return render(
        request,
        "new_alert/preview.html",
        title=_("Check before sending"),
        content=content,
        rows=rows,
        can_send=all(row.allowed for row in rows),
        notices=preview.notices,
        controlled=await suggested_by_goods(request, content.goods, map(goods_text, content.goods)),
        hidden=hidden,
        back={**sent.values, "do": "back"},
        amends=draft.amends,
    )


async def send(request: Request) -> Response:
    """Sends what the page before showed; sent twice, it happens once."""
    sent = form(request)
    content: AlertContent = decoded(sent.raw("content"), AlertContent())
    own, request_id = console_of(request).client.node_name, sent.text("request_id") or new_request_id()
    if sent.text("amends"):
        revision = AlertDraft.in_form(Form({"revision": [sent.text("revision")], "base": [""]})).revision
        await client(request).amend(sent.text("amends"), content, revision=revision, request_id=request_id)
        return redirect(f"/alerts/{own}/{sent.text('amends')}?done=amend")
    published = await client(request).publish(content, sent.all("recipients"), request_id=request_id)
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


async def _form_page(
    request: Request, sent: Form, draft: AlertDraft, preview: PreviewAlertResponse | None = None, *, status: int = 200
) -> Response:
    preview = preview or await client(request).preview(AlertContent(), [])
    agreements = [one for one in preview.agreements if not draft.amends or one.recipient in sent.all("recipients")]
    files = await attached_files(request, sent)
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
        languages=LANGUAGES,
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
    def of(enum: Any) -> list[tuple[str, str]]:
        return [(word, capitalised(label_of(enum, value))) for word, value in words(enum).items()]

    return {
        "priority": of(Priority),
        "requested_action": of(RequestedAction),
        "classification": of(Classification),
        "onward_transfer": of(OnwardTransfer),
        "kind": of(ShipmentReferenceKind),
        "mode": of(TransportMode),
        "role": of(PartyRole),
        "typologies": [(word, capitalised(label(TYPOLOGY, word)), "") for word in TYPOLOGIES],
        "means_scheme": [(one, scheme_word(one)) for one in _MEANS_SCHEMES],
        "party_scheme": [(one, scheme_word(one)) for one in PARTY_SCHEMES],
    }


PUBLISHERS: Final = frozenset({"publisher", "supervisor"})

routes = [
    page_route("/alerts/new", begin, roles=PUBLISHERS),
    page_route("/alerts/new/check", check),
    page_route("/alerts/new/draft", from_draft, methods=("POST",)),
    page_route("/alerts/new/upload", take, methods=("POST",), roles=PUBLISHERS),
    page_route("/alerts/new/send", send, methods=("POST",), roles=PUBLISHERS),
]

navigation = NavigationEntry(
    path="/alerts/new",
    title=lambda: _("New alert"),
    icon="new",
    order=20,
    roles=PUBLISHERS,
)
