"""Alerts from CSV: one alert a line, its main fields as columns.

What one line can't say (several goods, names in several scripts, a route) needs JSON lines. Rules of the contract are
checked where the alert is published.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.errors import ConfigurationError, MalformedError
from gateway.formats.alerts.alert_lines import AlertLine, line_of
from gateway.formats.declarations.declarations import RowProblem
from gateway.v1 import alert_pb2, goods_pb2, party_pb2
from gateway.v1.alert_pb2 import AlertContent

MAX_LINE_BYTES = 64 << 10
"""Longest line in bytes; longer ones are named and skipped."""

LIST_SEPARATOR = ";"
"""Between the members of a list in one cell."""

_Set = Callable[[AlertContent, str], None]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise MalformedError(f"{text[:40]!r} isn't a number with a decimal point") from None


def _text(path: str) -> _Set:
    *parents, name = path.split(".")

    def put(content: AlertContent, text: str) -> None:
        message: Any = content
        for parent in parents:
            message = getattr(message, parent)
        setattr(message, name, text)

    return put


def _enum(path: str, enum: Any, prefix: str) -> _Set:
    put_value = _text(path)

    def put(content: AlertContent, text: str) -> None:
        try:
            put_value(content, enum.Value(prefix + text.upper().replace("-", "_")))
        except ValueError:
            known = [name.removeprefix(prefix).lower() for name in enum.keys() if not name.endswith("UNSPECIFIED")]  # noqa: SIM118
            raise MalformedError(f"{text[:40]!r} isn't one of {', '.join(known)}") from None

    return put


def _time(name: str) -> _Set:
    def put(content: AlertContent, text: str) -> None:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            raise MalformedError(f"{text[:40]!r} isn't a time with its zone, e.g. 2026-01-15T08:00:00+08:00")
        stamp = Timestamp()
        stamp.FromDatetime(time)
        getattr(content, name).CopyFrom(stamp)

    return put


def _reference(kind: goods_pb2.ShipmentReferenceKind.ValueType) -> _Set:
    def put(content: AlertContent, text: str) -> None:
        content.subject.references.add(kind=kind, value=text)

    return put


def _goods(name: str, convert: Callable[[str], Any] = str) -> _Set:
    def put(content: AlertContent, text: str) -> None:
        setattr(_first(content.goods), name, convert(text))

    return put


def _code(scheme: str, *, suspected: bool = False) -> _Set:
    def put(content: AlertContent, text: str) -> None:
        goods = _first(content.goods)
        codes = goods.suspected_codes if suspected else goods.declared_codes
        code, _, territory = text.replace(".", "").partition("@")
        codes.add(code=code, scheme="tariff" if territory else scheme, territory=territory)

    return put


def _party(role: party_pb2.PartyRole.ValueType) -> _Set:
    def put(content: AlertContent, text: str) -> None:
        party = content.subject.parties.add(role=role)
        for part in _listed(text):
            scheme, colon, value = part.partition(":")
            if colon and scheme.replace("_", "").isalnum() and scheme.islower():
                party.identifiers.add(scheme=scheme, value=value.strip())
            else:
                party.names.add(text=part)

    return put


def _narrative(language: str) -> _Set:
    def put(content: AlertContent, text: str) -> None:
        content.narratives.add(language=language, text=text)

    return put


def _typologies(content: AlertContent, text: str) -> None:
    content.typologies.extend(_listed(text))


def _onward_recipients(content: AlertContent, text: str) -> None:
    content.handling.onward_recipients.extend(_listed(text))


def _equipment(content: AlertContent, text: str) -> None:
    content.subject.equipment.extend(goods_pb2.Equipment(id=each) for each in _listed(text))


def _seals(content: AlertContent, text: str) -> None:
    if not content.subject.equipment:
        raise MalformedError("seals need a container on the same line")
    content.subject.equipment[0].seals.extend(_listed(text))


def _vehicles(content: AlertContent, text: str) -> None:
    means = content.subject.means.add(mode=goods_pb2.TRANSPORT_MODE_ROAD)
    for each in _listed(text):
        means.registrations.add(scheme="vehicle_plate", value=each)


COLUMNS: Mapping[str, _Set] = {
    "priority": _enum("priority", alert_pb2.Priority, "PRIORITY_"),
    "typologies": _typologies,
    "requested_action": _enum("requested_action", alert_pb2.RequestedAction, "REQUESTED_ACTION_"),
    "legal_basis": _text("legal_basis"),
    "purpose": _text("purpose"),
    "case_reference": _text("case_reference"),
    "classification": _enum("handling.classification", alert_pb2.Classification, "CLASSIFICATION_"),
    "onward_transfer": _enum("handling.onward_transfer", alert_pb2.OnwardTransfer, "ONWARD_TRANSFER_"),
    "onward_recipients": _onward_recipients,
    "caveat": _text("handling.caveat"),
    "reply_by": _time("reply_by"),
    "valid_until": _time("valid_until"),
    "declaration": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION),
    "ucr": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_UCR),
    "transport_document": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT),
    "licence": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE),
    "containers": _equipment,
    "seals": _seals,
    "vehicles": _vehicles,
    "declarant": _party(party_pb2.PARTY_ROLE_DECLARANT),
    "exporter": _party(party_pb2.PARTY_ROLE_EXPORTER),
    "importer": _party(party_pb2.PARTY_ROLE_IMPORTER),
    "consignor": _party(party_pb2.PARTY_ROLE_CONSIGNOR),
    "consignee": _party(party_pb2.PARTY_ROLE_CONSIGNEE),
    "declared_code": _code("hs"),
    "suspected_code": _code("hs", suspected=True),
    "description": _goods("description"),
    "substance": _goods("substance"),
    "element": _goods("element"),
    "form": _goods("form"),
    "purity_percent": _goods("purity_percent", _number),
    "net_mass_kg": _goods("net_mass_kg", _number),
    "gross_mass_kg": _goods("gross_mass_kg", _number),
    "origin_territory": _goods("origin_territory"),
    "narrative_en": _narrative("en"),
    "narrative_zh_hans": _narrative("zh-Hans"),
    "narrative_zh_hant": _narrative("zh-Hant"),
    "narrative_pt": _narrative("pt"),
}
"""Column to what its cell sets. Lists are joined by `;`. A code is HS digits, or a tariff's with its territory:
`81101000@CN`. A party is a list of names and of identifiers `scheme:value`. Empty cells set nothing."""


def read_alert_csv(stream: BinaryIO, *, source: str = "the file") -> Iterator[AlertLine | RowProblem]:
    """Alerts from a CSV file in UTF-8 with a header, in its order; memory doesn't grow with the file.

    Raises:
        ConfigurationError: at once: there is no header, a column in it isn't one of COLUMNS, or one stands twice.
    """
    lines = _lines(stream)
    try:
        header = [name.strip() for name in _cells(next(lines, (1, b""))[1])]
    except MalformedError as error:
        raise ConfigurationError(f"{source}: the header can't be read: {error.message}") from None
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or not header or len(set(header)) != len(header):
        what = f"unknown column {unknown[0][:40]!r}" if unknown else "no header, or a column twice"
        raise ConfigurationError(f"{source}: {what}; the columns are {', '.join(COLUMNS)}")
    return _alerts(lines, header)


def _alerts(lines: Iterator[tuple[int, bytes]], header: list[str]) -> Iterator[AlertLine | RowProblem]:
    # In the order of COLUMNS, whatever the file's: seals come after their container.
    order = sorted(range(len(header)), key=lambda place: list(COLUMNS).index(header[place]))
    for number, line in lines:
        if not line.strip():
            continue
        try:
            cells = _cells(line)
            if len(cells) != len(header):
                raise MalformedError(f"the line has {len(cells)} columns, the header has {len(header)}")
        except MalformedError as error:
            yield RowProblem(number, "", error.message)
            continue
        yield from _alert(number, [(header[place], cells[place].strip()) for place in order])


def _alert(number: int, cells: list[tuple[str, str]]) -> Iterator[AlertLine | RowProblem]:
    content = AlertContent()
    problems = []
    for column, text in cells:
        try:
            if text:
                COLUMNS[column](content, text)
        except (MalformedError, ValueError) as error:  # ValueError: protobuf's own, e.g. a lone surrogate
            problems.append(RowProblem(number, column, getattr(error, "message", str(error))))
    if problems:
        yield from problems
    else:
        yield line_of(number, content)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        yield number, line
        while line and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES)


def _cells(line: bytes) -> list[str]:
    if len(line) > MAX_LINE_BYTES:
        raise MalformedError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise MalformedError(f"byte {error.start + 1} of the line is not UTF-8") from None
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise MalformedError(f"the line is not CSV: {error}") from None


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(LIST_SEPARATOR) if part.strip()]


def _first(goods: Any) -> Any:
    return goods[0] if goods else goods.add()
