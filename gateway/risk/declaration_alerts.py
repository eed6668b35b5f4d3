"""Makes alerts about declarations whose goods are on the control list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.identification.code_lists import normalise_code
from gateway.formats.alerts.alert_lines import AlertLine
from gateway.formats.declarations.declarations import DeclarationRow
from gateway.formats.tables.layout import Problem
from gateway.formats.transport_modes import NOT_KNOWN, mode_of
from gateway.plurals import counted
from gateway.risk.rule_hits import MAX_EXPLANATION_CHARS, rule_hit, typologies_of
from gateway.v1 import alert_pb2, goods_pb2, party_pb2, shipment_pb2, trace_pb2

if TYPE_CHECKING:
    from gateway.risk.rule_engine import RuleEngine

RULE_IDS = frozenset({"R01", "R01-REFUSED"})
"""Controlled code without a licence; destination to which licences are refused."""

TRADER_SCHEME = "trader_id"
"""Scheme of parties' numbers when the file doesn't name one."""

MAX_SUSPECTED_CODES = 8
"""The contract's limit per item."""

MAX_SUBSTANCE_CHARS = 128

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


@dataclass(slots=True)
class ScreenedRows:
    """Counts of rows on the control list that became no alert, filled while reading.

    Attributes:
        elsewhere: neither origin nor departure is a territory of the rule.
        places_unknown: the row names neither origin nor departure.
        licences_unknown: the row is an export of a file that doesn't say which licences were presented.
    """

    elsewhere: int = 0
    places_unknown: int = 0
    licences_unknown: int = 0


def declaration_rules(goods: Path | None = None, announcements: Path | None = None) -> RuleEngine:
    """The rules by which declarations become alerts, with a list of goods and announcements; None: the packaged ones.

    Raises:
        ConfigurationError: unreadable or wrong; names file, lines and columns.
    """
    from gateway.risk.rule_engine import RuleEngine  # noqa: PLC0415  commands that need no rules start without them

    return RuleEngine.load(controlled_goods=goods, announcements=announcements, only=RULE_IDS)


def declaration_alerts(
    rows: Iterable[DeclarationRow | Problem],
    rules: RuleEngine,
    terms: AlertTerms,
    *,
    as_of: date | None = None,
    screened: ScreenedRows | None = None,
) -> Iterator[AlertLine | Problem]:
    """Alerts for rows that the rules find, and problems of rows that can't be read.

    Args:
        rules: as `declaration_rules` makes them.
        as_of: the day to assess all rows for; None: each row's own date.
        screened: takes counts of the other rows on the control list.
    """
    screened = screened or ScreenedRows()
    for row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        on = as_of or row.date
        shipment = _shipment(row, on)
        controlled = rules.controlled_items(shipment)
        found = rules.screen(shipment) if controlled else []
        if found:
            content = to_alert(row, controlled, found, terms, on=on, version=rules.controlled_goods_version)
            yield AlertLine(row.line, content, _source(row, on))
        elif controlled and not (shipment.export_territory or shipment.goods[0].origin_territory):
            screened.places_unknown += 1
        elif controlled and shipment.licences_not_known:
            screened.licences_unknown += 1
        elif controlled and not row.licence:
            screened.elsewhere += 1


def to_alert(
    row: DeclarationRow,
    controlled: Sequence[trace_pb2.ControlledItem],
    found: Sequence[trace_pb2.Discrepancy],
    terms: AlertTerms,
    *,
    on: date,
    version: str,
) -> alert_pb2.AlertContent:
    """The alert about one declared item.

    Args:
        controlled: lines of the list that it matches, most reliable first.
        found: at least one discrepancy.
        on: the day of the assessment.
        version: of the list.
    """
    valid_until = Timestamp()
    valid_until.FromDatetime(terms.valid_until)
    return alert_pb2.AlertContent(
        priority=terms.priority,
        typologies=typologies_of(found),
        subject=_subject(row),
        goods=[_item(row, controlled)],
        route=_route(row),
        rule_hits=[_hit(row, discrepancy, on, version) for discrepancy in found],
        requested_action=terms.requested_action,
        legal_basis=terms.legal_basis,
        purpose=terms.purpose,
        case_reference=terms.case_reference or f"declaration {row.declaration_number}"[:128],
        handling=alert_pb2.Handling(classification=terms.classification, onward_transfer=terms.onward_transfer),
        valid_until=valid_until,
    )


def _shipment(row: DeclarationRow, on: date) -> shipment_pb2.Shipment:
    """What the rules need of a row, as if it had been declared on a day."""
    made = shipment_pb2.Shipment(
        procedure=_procedure(row),
        export_territory=_territory(row.country_of_departure),
        destination_territory=_territory(row.country_of_destination),
        office=goods_pb2.Place(territory=_territory(row.tariff_territory)),
    )
    # Of an import the licence lies with another authority in any case: there the alert asks.
    exported = made.procedure == shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
    made.licences_not_known = row.licence is None and exported
    if row.licence:
        made.references.add(kind=goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE, value=row.licence)
    made.declared_at.FromDatetime(datetime(on.year, on.month, on.day))
    item = made.goods.add(
        sequence=1, description=row.goods_description, origin_territory=_territory(row.country_of_origin)
    )
    code = normalise_code(row.hs_code)
    if row.tariff_territory:
        item.codes.add(code=code, scheme="tariff", territory=row.tariff_territory)
    else:
        item.codes.add(code=code[:6], scheme="hs")
    return made


def _procedure(row: DeclarationRow) -> shipment_pb2.ShipmentProcedure.ValueType:
    """Export or import by whose tariff the code is in; a row doesn't say it otherwise."""
    if row.tariff_territory and row.tariff_territory == row.country_of_departure:
        return shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
    if row.tariff_territory and row.tariff_territory == row.country_of_destination:
        return shipment_pb2.SHIPMENT_PROCEDURE_IMPORT
    return shipment_pb2.SHIPMENT_PROCEDURE_UNSPECIFIED


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


def _item(row: DeclarationRow, controlled: Sequence[trace_pb2.ControlledItem]) -> goods_pb2.GoodsItem:
    item = goods_pb2.GoodsItem(
        description=row.goods_description[:1024],
        substance=_substance(controlled),
        origin_territory=_territory(row.country_of_origin),
    )
    code = normalise_code(row.hs_code)
    item.declared_codes.add(code=code[:6], scheme="hs")
    if len(code) > 6 and row.tariff_territory:
        item.declared_codes.add(code=code, scheme="tariff", territory=row.tariff_territory)
    for listed in list(dict.fromkeys(line.code for line in controlled if line.code))[:MAX_SUSPECTED_CODES]:
        scheme = "hs" if len(listed) == 6 else "tariff"
        item.suspected_codes.add(code=listed, scheme=scheme, territory="" if scheme == "hs" else "CN")
    elements = {line.element for line in controlled}
    if len(elements) == 1:  # goods of several elements don't say which one this is
        item.element = elements.pop()
    if row.net_mass_kg is not None:
        item.net_mass_kg = float(_rounded(row.net_mass_kg, _GRAM))
    if row.gross_mass_kg is not None:
        item.gross_mass_kg = float(_rounded(row.gross_mass_kg, _GRAM))
    if row.value is not None and _CURRENCY.fullmatch(row.currency):
        item.customs_value.CopyFrom(_money(row.value, row.currency))
    return item


def _substance(controlled: Sequence[trace_pb2.ControlledItem]) -> str:
    names = list(dict.fromkeys(line.substance for line in controlled if line.substance))
    joined = " / ".join(names)
    if len(joined) <= MAX_SUBSTANCE_CHARS:
        return joined
    tail = f" / {counted(len(names) - 1, 'other')}"
    return names[0][: MAX_SUBSTANCE_CHARS - len(tail)] + tail


def _hit(row: DeclarationRow, discrepancy: trace_pb2.Discrepancy, on: date, version: str) -> alert_pb2.RuleHit:
    about = {
        "declaration.hs_code": row.hs_code,
        "declaration.date": row.date.isoformat(),
        "declaration.country_of_origin": row.country_of_origin,
        "declaration.country_of_departure": row.country_of_departure,
        "assessed_on": on.isoformat(),
        "list.version": version,
    }
    hit = rule_hit(discrepancy, about={name: value for name, value in about.items() if value})
    if on != row.date:
        days = f" Assessed for {on.isoformat()}; declared on {row.date.isoformat()}."
        hit.explanation = hit.explanation[: MAX_EXPLANATION_CHARS - len(days)] + days
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


def _source(row: DeclarationRow, on: date) -> bytes:
    """Digest of a row's content and the day of assessment, without its line."""
    values = {field.name: getattr(row, field.name) for field in fields(row) if field.name != "line"}
    said = [f"{name}={value}" for name, value in values.items() if name != "licence" or value is not None]
    return sha256("\x1f".join(["R01 declaration", on.isoformat(), *said]).encode()).digest()
