"""Makes alerts about declarations whose goods are on the control list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.identification.commodity_codes import normalise_code
from gateway.formats.alerts.alert_lines import AlertLine
from gateway.formats.declarations.declarations import DeclarationRow
from gateway.formats.tables.layout import Problem
from gateway.formats.transport_modes import NOT_KNOWN, mode_of
from gateway.risk.controlled_goods import ControlledGoodMatch, ControlledGoods, MatchBasis
from gateway.v1 import alert_pb2, goods_pb2, party_pb2

RULE_ID = "R01"
"""Controlled code, no licence stated."""

RULE_TYPOLOGY = "false_declaration"
"""The rule's suspicion."""

TRADER_SCHEME = "trader_id"
"""Scheme of parties' numbers when the file doesn't name one."""

MAX_SUSPECTED_CODES = 8
"""The contract's limit per item."""

MAX_SUBSTANCE_CHARS = 128
MAX_INPUT_CHARS = 400
"""Longest input value: some subheadings match dozens of listed goods."""

UNKNOWN_COUNTRY = "ZZ"

_GRAM = Decimal("0.001")
_CENT = Decimal("0.01")
_TERRITORY = re.compile(r"[A-Z]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")

_ROLES = (
    ("declarant_id", party_pb2.PARTY_ROLE_DECLARANT),
    ("importer_id", party_pb2.PARTY_ROLE_IMPORTER),
    ("exporter_id", party_pb2.PARTY_ROLE_EXPORTER),
    ("seller_id", party_pb2.PARTY_ROLE_SELLER),
    ("courier_id", party_pb2.PARTY_ROLE_CARRIER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTerms:
    """The sender's decisions for all alerts of a file.

    Attributes:
        case_reference: empty: `declaration <number>` for each.
        valid_until: when the alerts expire, with zone.
    """

    legal_basis: str
    valid_until: datetime
    purpose: str = "export_control"
    case_reference: str = ""
    priority: alert_pb2.Priority.ValueType = alert_pb2.PRIORITY_C
    requested_action: alert_pb2.RequestedAction.ValueType = alert_pb2.REQUESTED_ACTION_INFORM
    classification: alert_pb2.Classification.ValueType = alert_pb2.CLASSIFICATION_OFFICIAL
    onward_transfer: alert_pb2.OnwardTransfer.ValueType = alert_pb2.ONWARD_TRANSFER_PROHIBITED


def declaration_alerts(
    rows: Iterable[DeclarationRow | Problem], goods: ControlledGoods, terms: AlertTerms, *, as_of: date | None = None
) -> Iterator[AlertLine | Problem]:
    """Alerts for controlled goods, and problems of rows that can't be read.

    Args:
        as_of: the day to assess all rows for; None: each row's own date.
    """
    version = list_version(goods)
    for row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        on = as_of or row.date
        matches = goods.match(row.hs_code, on, territory=row.tariff_territory)
        if matches:
            yield AlertLine(row.line, to_alert(row, matches, terms, on=on, version=version), _source(row, on))


def to_alert(
    row: DeclarationRow, matches: Sequence[ControlledGoodMatch], terms: AlertTerms, *, on: date, version: str
) -> alert_pb2.AlertContent:
    """The alert about one declared item.

    Args:
        matches: at least one, most reliable first.
        on: the day of the assessment.
        version: of the list.
    """
    valid_until = Timestamp()
    valid_until.FromDatetime(terms.valid_until)
    return alert_pb2.AlertContent(
        priority=terms.priority,
        typologies=[RULE_TYPOLOGY],
        subject=_subject(row),
        goods=[_item(row, matches)],
        route=_route(row),
        rule_hits=[_hit(row, matches, on, version)],
        requested_action=terms.requested_action,
        legal_basis=terms.legal_basis,
        purpose=terms.purpose,
        case_reference=terms.case_reference or f"declaration {row.declaration_number}"[:128],
        handling=alert_pb2.Handling(classification=terms.classification, onward_transfer=terms.onward_transfer),
        valid_until=valid_until,
    )


def list_version(goods: ControlledGoods) -> str:
    """The newest announcement in a control list, with its day."""
    newest = max(goods, key=lambda good: (good.announced, good.announcement))
    return f"{newest.announced.isoformat()} {newest.announcement}"[:64]


def _subject(row: DeclarationRow) -> alert_pb2.Subject:
    subject = alert_pb2.Subject()
    subject.references.add(
        kind=goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION,
        value=row.declaration_number[:128],
        territory=_territory(row.tariff_territory),
    )
    if row.transport_document:
        subject.references.add(
            kind=goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT, value=row.transport_document[:128]
        )
    if row.container_number:
        subject.equipment.add(id=row.container_number[:32])
    for name, role in _ROLES:
        number = getattr(row, name)
        if number:
            subject.parties.add(role=role).identifiers.add(scheme=TRADER_SCHEME, value=number[:128])
    return subject


def _item(row: DeclarationRow, matches: Sequence[ControlledGoodMatch]) -> goods_pb2.GoodsItem:
    item = goods_pb2.GoodsItem(
        description=row.goods_description[:1024],
        substance=_substance(matches),
        origin_territory=_territory(row.country_of_origin),
    )
    code = normalise_code(row.hs_code)
    item.declared_codes.add(code=code[:6], scheme="hs")
    if len(code) > 6 and row.tariff_territory:
        item.declared_codes.add(code=code, scheme="tariff", territory=row.tariff_territory)
    for listed in list(dict.fromkeys(match.good.code for match in matches))[:MAX_SUSPECTED_CODES]:
        scheme = "hs" if len(listed) == 6 else "tariff"
        item.suspected_codes.add(code=listed, scheme=scheme, territory="" if scheme == "hs" else "CN")
    elements = {match.good.element for match in matches}
    if len(elements) == 1:  # goods of several elements don't say which one this is
        item.element = elements.pop()
    if row.net_mass_kg is not None:
        item.net_mass_kg = float(_rounded(row.net_mass_kg, _GRAM))
    if row.gross_mass_kg is not None:
        item.gross_mass_kg = float(_rounded(row.gross_mass_kg, _GRAM))
    if row.value is not None and _CURRENCY.fullmatch(row.currency):
        item.customs_value.CopyFrom(_money(row.value, row.currency))
    return item


def _substance(matches: Sequence[ControlledGoodMatch]) -> str:
    names = list(dict.fromkeys(match.good.substance for match in matches if match.good.substance))
    joined = " / ".join(names)
    if len(joined) <= MAX_SUBSTANCE_CHARS:
        return joined
    tail = f" / {len(names) - 1} others"
    return names[0][: MAX_SUBSTANCE_CHARS - len(tail)] + tail


def _hit(row: DeclarationRow, matches: Sequence[ControlledGoodMatch], on: date, version: str) -> alert_pb2.RuleHit:
    surest = matches[0]
    by_code = surest.basis is MatchBasis.NATIONAL
    inputs = {
        "declaration.hs_code": row.hs_code,
        "declaration.date": row.date.isoformat(),
        "declaration.country_of_origin": row.country_of_origin,
        "assessed_on": on.isoformat(),
        "licence": "not stated",
        "list.codes": ", ".join(dict.fromkeys(match.good.code for match in matches)),
        "list.substances": "; ".join(dict.fromkeys(_named(match) for match in matches)),
        "list.announcements": "; ".join(dict.fromkeys(match.good.announcement for match in matches)),
        "match.basis": surest.basis.value,
        "match.confidence": surest.confidence.name.lower(),
    }
    hit = alert_pb2.RuleHit(
        rule_id=RULE_ID,
        rule_version=version,
        explanation=(
            f"{row.hs_code} {'is' if by_code else 'falls under a subheading with goods that are'} under export control "
            f"on {on.isoformat()} ({surest.good.announcement}) and no licence is stated."
            + ("" if by_code else " Element, purity and form have to tell whether these goods are meant.")
        )[:1024],
    )
    hit.inputs.update({name: _shortened(value) for name, value in inputs.items() if value})
    return hit


def _route(row: DeclarationRow) -> list[goods_pb2.RouteLeg]:
    departure, destination = _territory(row.country_of_departure), _territory(row.country_of_destination)
    if not departure and not destination:
        return []
    leg = goods_pb2.RouteLeg(means=goods_pb2.TransportMeans(mode=mode_of(row.mode_of_transport) or NOT_KNOWN))
    if departure:
        getattr(leg, "from").territory = departure
    if destination:
        leg.to.territory = destination
    return [leg]


def _territory(code: str) -> str:
    return code if _TERRITORY.fullmatch(code) and code != UNKNOWN_COUNTRY else ""


def _money(value: Decimal, currency: str) -> goods_pb2.Money:
    rounded = _rounded(value, _CENT)
    units = int(rounded)
    return goods_pb2.Money(currency_code=currency, units=units, nanos=int((rounded - units) * 1_000_000_000))


def _rounded(value: Decimal, step: Decimal) -> Decimal:
    # exports carry binary noise such as 73.72000000000001
    return value.quantize(step, rounding=ROUND_HALF_EVEN)


def _named(match: ControlledGoodMatch) -> str:
    return " ".join(part for part in (match.good.element, match.good.substance) if part)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_INPUT_CHARS else text[: MAX_INPUT_CHARS - 1] + "…"


def _source(row: DeclarationRow, on: date) -> bytes:
    """Digest of a row's content and the day of assessment, without its line."""
    said = [f"{field.name}={getattr(row, field.name)}" for field in fields(row) if field.name != "line"]
    return sha256("\x1f".join(["R01 declaration", on.isoformat(), *said]).encode()).digest()
