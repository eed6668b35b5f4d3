"""Maps a watchlist's CSV columns to an entry's content and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.errors import MalformedError, Violation
from gateway.formats.tables.cell_values import (
    RFC3339,
    Format,
    as_day,
    as_enum,
    as_territory,
    read_territory,
    read_time,
    split_identifier,
    stamped,
)
from gateway.formats.tables.fields import Column, Field, Read, as_text
from gateway.formats.tables.notation import OWN, PARTED, TEXT, write_member, write_members, write_text
from gateway.v1 import alert_pb2, watchlist_pb2
from gateway.v1.goods_pb2 import CommodityCode
from gateway.v1.watchlist_pb2 import WatchlistContent

Members = Mapping[str, Any]
"""Fields of a message."""

_NAME_COLUMNS: Mapping[int, str] = MappingProxyType(
    {
        watchlist_pb2.LISTED_NAME_KIND_PRIMARY: "name",
        watchlist_pb2.LISTED_NAME_KIND_ALIAS: "aliases",
        watchlist_pb2.LISTED_NAME_KIND_WEAK_ALIAS: "weak_aliases",
        watchlist_pb2.LISTED_NAME_KIND_FORMER: "former_names",
        watchlist_pb2.LISTED_NAME_KIND_TRADE: "trade_names",
        watchlist_pb2.LISTED_NAME_KIND_UNSPECIFIED: "other_names",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListColumn(Column):
    """A column that is also written.

    Attributes:
        get: the cell for a content, in the gateway's notation; empty if not stated.
    """

    get: Callable[[WatchlistContent], str]


def enum_name(number: int, enum: Any, prefix: str) -> str:
    """The name in lower case without prefix; empty if unspecified."""
    name = str(enum.Name(number)) if number in enum.values() else str(number)
    return "" if name.endswith("_UNSPECIFIED") else name.removeprefix(prefix).lower()


def _value_of(content: WatchlistContent, path: str) -> Any:
    value: Any = content
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _names(kind: int, *, many: bool = True) -> ListColumn:
    def read(parts: list[str], _: Format) -> Members:
        return {"text": parts[0], "script": parts[1], "language": parts[2], "kind": kind}

    def get(content: WatchlistContent) -> str:
        names = (name for name in content.names if name.kind == kind)
        return write_members(write_member((name.text, name.script, name.language)) for name in names)

    return ListColumn(path="names", read=read, own=OWN if many else PARTED, parts=3, many=many, get=get)


def _parted(
    path: str, parts: int, read: Read, parts_of: Callable[[Any], Iterable[str]], *, keep: int = 1
) -> ListColumn:
    def get(content: WatchlistContent) -> str:
        return write_members(write_member(parts_of(value), keep=keep) for value in getattr(content, path))

    return ListColumn(path=path, read=read, own=OWN, parts=parts, many=True, get=get)


def _identifier(parts: list[str], _: Format) -> Members:
    scheme, value = split_identifier(parts[0])
    return {"scheme": scheme, "value": value, "territory": _territory(parts[1]), "expires": parts[2]}


def _address(parts: list[str], _: Format) -> Members:
    return {"street": parts[0], "city": parts[1], "territory": _territory(parts[2])}


def _addresses(path: str) -> ListColumn:
    return _parted(path, 3, _address, lambda each: (each.street, each.city, each.territory), keep=2)


def _place(parts: list[str], _: Format) -> Members:
    unlocode, territory, name, office = parts
    territory = _territory(territory) or unlocode[:2]
    return {"unlocode": unlocode, "name": name, "customs_office": office, "territory": territory}


def _alert(parts: list[str], _: Format) -> Members:
    publisher, slash, alert_id = parts[0].partition("/")
    if not slash:
        raise MalformedError(f"{parts[0][:40]!r} doesn't name an alert as publisher/id")
    return {"publisher": publisher, "alert_id": alert_id}


def _territory(text: str) -> str:
    return read_territory(text) if text else ""


def _commodity(parts: list[str], _: Format) -> Members:
    scheme, colon, rest = parts[0].partition(":")
    code, _at, territory = (rest if colon else parts[0]).replace(".", "").partition("@")
    return {"code": code, "scheme": scheme if colon else _usual(territory), "territory": territory}


def _get_commodities(content: WatchlistContent) -> str:
    return write_members(_written_code(commodity) for commodity in content.commodities)


def _written_code(commodity: CommodityCode) -> str:
    scheme = "" if commodity.scheme == _usual(commodity.territory) else f"{commodity.scheme}:"
    return f"{scheme}{commodity.code}@{commodity.territory}" if commodity.territory else f"{scheme}{commodity.code}"


def _usual(territory: str) -> str:
    return "tariff" if territory else "hs"


def _list(path: str, read: Read = as_text) -> ListColumn:
    return ListColumn(path=path, read=read, own=OWN, many=True, get=lambda content: ";".join(_value_of(content, path)))


def _text(path: str) -> ListColumn:
    return ListColumn(path=path, own=TEXT, get=lambda content: write_text(_value_of(content, path)))


def _enum(path: str, enum: Any, prefix: str) -> ListColumn:
    read = as_enum(enum, prefix)
    return ListColumn(path=path, read=read, get=lambda content: enum_name(_value_of(content, path), enum, prefix))


def _birth_date(parts: list[str], form: Format) -> str:
    text = parts[0]
    is_year = len(text) == 4 and text.isascii() and text.isdigit()
    return text if is_year or form.date == RFC3339 else as_day(parts, form).isoformat()


def _time(name: Any, *, days: int = 0) -> ListColumn:
    """Days become the beginning of the day, or of one so many days later."""

    def read(parts: list[str], form: Format) -> Timestamp:
        if form.date == RFC3339:
            return read_time(parts[0])[0]
        return stamped(datetime.combine(as_day(parts, form), time()), form.zone - timedelta(days=days))[0]

    def get(content: WatchlistContent) -> str:
        return str(getattr(content, name).ToJsonString()) if content.HasField(name) else ""

    return ListColumn(path=name, read=read, get=get)


COLUMNS: Mapping[str, ListColumn] = MappingProxyType(
    {
        "kind": _enum("kind", watchlist_pb2.WatchlistKind, "WATCHLIST_KIND_"),
        **{column: _names(kind, many=column != "name") for kind, column in _NAME_COLUMNS.items()},
        "identifiers": _parted(
            "identifiers", 3, _identifier, lambda each: (f"{each.scheme}:{each.value}", each.territory, each.expires)
        ),
        "addresses": _addresses("addresses"),
        "birth_dates": _list("birth_dates", _birth_date),
        "birth_periods": _list("birth_periods"),
        "birth_places": _addresses("birth_places"),
        "territories": _list("territories", as_territory),
        "commodities": ListColumn(path="commodities", read=_commodity, own=OWN, many=True, get=_get_commodities),
        "route": _parted(
            "route", 4, _place, lambda each: (each.unlocode, each.territory, each.name, each.customs_office), keep=2
        ),
        "reason": _text("reason"),
        "legal_basis": _text("legal_basis"),
        "purpose": _text("purpose"),
        "requested_action": _enum("requested_action", alert_pb2.RequestedAction, "REQUESTED_ACTION_"),
        "valid_from": _time("valid_from"),
        "valid_until": _time("valid_until", days=1),  # until the end of the named day
        "classification": _enum("handling.classification", alert_pb2.Classification, "CLASSIFICATION_"),
        "onward_transfer": _enum("handling.onward_transfer", alert_pb2.OnwardTransfer, "ONWARD_TRANSFER_"),
        "onward_recipients": _list("handling.onward_recipients"),
        "caveat": _text("handling.caveat"),
        "releasable_to": _list("releasable_to"),
        "derived_from": _parted("derived_from", 1, _alert, lambda alert: (f"{alert.publisher}/{alert.alert_id}",)),
        "remarks": _text("remarks"),
    }
)
"""Columns beside `list` and `id`."""

ADDRESS_PARTS: Mapping[str, Field] = MappingProxyType(
    {"street": Field(many=True), "city": Field(many=True), "address_territory": Field(read=as_territory, many=True)}
)
"""Fields of a mapping that make one address."""

FIELDS: Mapping[str, Field] = MappingProxyType({"list": Field(), "id": Field(key=True), **COLUMNS, **ADDRESS_PARTS})
"""Fields that a file can fill."""


def column_of(violation: Violation, content: WatchlistContent) -> str:
    """The column of a broken rule."""
    path = violation.field
    if path.startswith("names["):
        kind = content.names[int(path[6 : path.index("]")])].kind
        return _NAME_COLUMNS.get(kind, "other_names")
    top, _, below = path.partition(".")
    if top == "handling":
        return below.partition("[")[0] or "classification"
    return top.partition("[")[0] or "name"
