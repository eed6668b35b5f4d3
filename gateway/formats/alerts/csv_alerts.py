"""Reads alerts from CSV, one a line, with main fields as columns.

Several goods, names in several scripts and a route need JSON lines. The contract's rules are checked on publishing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, BinaryIO

from gateway.errors import MalformedError, Violation
from gateway.formats.alerts.alert_lines import AlertLine, everything_wrong, line_of
from gateway.formats.tables.cell_values import Format, as_enum, as_stamp
from gateway.formats.tables.fields import Column, Read, as_text
from gateway.formats.tables.layout import FilledColumn, Line, Problem, Table
from gateway.formats.tables.lines import Dialect
from gateway.formats.tables.notation import Notation
from gateway.formats.tables.table_file import read_table
from gateway.v1 import alert_pb2, goods_pb2, party_pb2
from gateway.v1.alert_pb2 import AlertContent

_PLAIN = Notation(members="", parts="", escapes=False)
_LIST = Notation(members=";", parts="", escapes=False)


def _one(path: str, read: Read = as_text) -> Column:
    return Column(path=path, read=read, own=_PLAIN)


def _many(path: str) -> Column:
    return Column(path=path, own=_LIST, many=True)


def _float(parts: list[str], _: Format) -> float:
    try:
        return float(parts[0])
    except ValueError:
        raise MalformedError(f"{parts[0][:40]!r} isn't a number with a decimal point") from None


def _reference(kind: goods_pb2.ShipmentReferenceKind.ValueType) -> Column:
    def put(content: AlertContent, values: list[str]) -> None:
        content.subject.references.add(kind=kind, value=values[0])

    return Column(own=_PLAIN, put=put)


def _goods(name: str, read: Read = as_text) -> Column:
    return Column(own=_PLAIN, read=read, put=lambda content, values: setattr(_first(content.goods), name, values[0]))


def _code(name: str) -> Column:
    def put(content: AlertContent, values: list[str]) -> None:
        code, _, territory = values[0].replace(".", "").partition("@")
        codes = getattr(_first(content.goods), name)
        codes.add(code=code, scheme="tariff" if territory else "hs", territory=territory)

    return Column(own=_PLAIN, put=put)


def _party(role: party_pb2.PartyRole.ValueType) -> Column:
    def put(content: AlertContent, values: list[str]) -> None:
        party = content.subject.parties.add(role=role)
        for text in values:
            scheme, colon, value = text.partition(":")
            if colon and scheme.replace("_", "").isalnum() and scheme.islower():
                party.identifiers.add(scheme=scheme, value=value.strip())
            else:
                party.names.add(text=text)

    return Column(own=_LIST, many=True, put=put)


def _narrative(language: str) -> Column:
    return Column(own=_PLAIN, put=lambda content, values: content.narratives.add(language=language, text=values[0]))


def _put_equipment(content: AlertContent, values: list[str]) -> None:
    content.subject.equipment.extend(goods_pb2.Equipment(id=number) for number in values)


def _put_seals(content: AlertContent, values: list[str]) -> None:
    if not content.subject.equipment:
        raise MalformedError("seals need a container on the same line")
    content.subject.equipment[0].seals.extend(values)


def _put_vehicles(content: AlertContent, values: list[str]) -> None:
    means = content.subject.means.add(mode=goods_pb2.TRANSPORT_MODE_ROAD)
    for plate in values:
        means.registrations.add(scheme="vehicle_plate", value=plate)


def _first(goods: Any) -> Any:
    return goods[0] if goods else goods.add()


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "priority": _one("priority", as_enum(alert_pb2.Priority, "PRIORITY_")),
        "typologies": _many("typologies"),
        "requested_action": _one("requested_action", as_enum(alert_pb2.RequestedAction, "REQUESTED_ACTION_")),
        "legal_basis": _one("legal_basis"),
        "purpose": _one("purpose"),
        "case_reference": _one("case_reference"),
        "classification": _one("handling.classification", as_enum(alert_pb2.Classification, "CLASSIFICATION_")),
        "onward_transfer": _one("handling.onward_transfer", as_enum(alert_pb2.OnwardTransfer, "ONWARD_TRANSFER_")),
        "onward_recipients": _many("handling.onward_recipients"),
        "caveat": _one("handling.caveat"),
        "reply_by": _one("reply_by", as_stamp),
        "valid_until": _one("valid_until", as_stamp),
        "declaration": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION),
        "ucr": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_UCR),
        "transport_document": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT),
        "licence": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE),
        "containers": Column(own=_LIST, many=True, put=_put_equipment),
        "seals": Column(own=_LIST, many=True, put=_put_seals),
        "vehicles": Column(own=_LIST, many=True, put=_put_vehicles),
        "declarant": _party(party_pb2.PARTY_ROLE_DECLARANT),
        "exporter": _party(party_pb2.PARTY_ROLE_EXPORTER),
        "importer": _party(party_pb2.PARTY_ROLE_IMPORTER),
        "consignor": _party(party_pb2.PARTY_ROLE_CONSIGNOR),
        "consignee": _party(party_pb2.PARTY_ROLE_CONSIGNEE),
        "declared_code": _code("declared_codes"),
        "suspected_code": _code("suspected_codes"),
        "description": _goods("description"),
        "substance": _goods("substance"),
        "element": _goods("element"),
        "form": _goods("form"),
        "purity_percent": _goods("purity_percent", _float),
        "net_mass_kg": _goods("net_mass_kg", _float),
        "gross_mass_kg": _goods("gross_mass_kg", _float),
        "origin_territory": _goods("origin_territory"),
        "narrative_en": _narrative("en"),
        "narrative_zh_hans": _narrative("zh-Hans"),
        "narrative_zh_hant": _narrative("zh-Hant"),
        "narrative_pt": _narrative("pt"),
    }
)
"""Lists are joined by `;`. A code is HS digits, or a tariff's with its territory: `81101000@CN`. A party is a list of
names and of identifiers `scheme:value`. Seals come after their container.
"""

ALERTS = Table(fields=COLUMNS, help=f"the columns are {', '.join(COLUMNS)}")


def read_alert_csv(
    stream: BinaryIO, dialect: Dialect | None = None, *, source: str = "the file"
) -> Iterator[AlertLine | Problem]:
    """Alerts in the file's order; arguments and errors as `read_table`."""
    table = read_table(stream, ALERTS, dialect, source=source)
    columns = table.layout.columns(COLUMNS)
    return (row for line in table for row in _rows(line, columns))


def _rows(line: Line, columns: Sequence[FilledColumn]) -> Iterator[AlertLine | Problem]:
    content = AlertContent()
    if line.problems:  # it isn't a line of the table
        yield from line.problems
        return
    line.fill(content, columns)
    if not line.problems:
        yield line_of(line.number, content)
        return
    yield from line.problems
    unread = [Violation(_path(problem.field), "", "") for problem in line.problems]
    for each in everything_wrong(content, unread)[len(unread) :]:
        yield Problem(line.number, each.field, f"{each.field}: {each.message}")


def _path(name: str) -> str:
    """The field of the contract that a column fills, where it fills one alone."""
    column = COLUMNS.get(name)
    return column.path if column is not None and column.path else name
