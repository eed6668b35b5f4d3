"""The columns of a watchlist in CSV: what a cell sets in an entry's content, and what an entry writes into a cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from gateway.errors import MalformedError, Violation
from gateway.formats.lists.notation import (
    Notation,
    read_members,
    read_parts,
    read_territory,
    read_text,
    read_time,
    write_member,
    write_members,
    write_text,
)
from gateway.v1 import alert_pb2, watchlist_pb2
from gateway.v1.goods_pb2 import CommodityCode
from gateway.v1.watchlist_pb2 import WatchlistContent

_SCHEME = re.compile(r"[a-z][a-z0-9_]*")
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


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        put: sets what a cell says in a content; raises MalformedError where it says nothing that makes sense.
        get: the cell for a content, in the gateway's own notation; empty where the content doesn't say.
        many: whether a cell may hold several.
    """

    put: Callable[[WatchlistContent, str, Notation], None]
    get: Callable[[WatchlistContent], str]
    many: bool = False


@lru_cache(maxsize=256)
def enum_of(text: str, enum: Any, prefix: str) -> int:
    """An enum's number from its name in small letters without prefix.

    Raises:
        MalformedError: there is no such name; the message lists those there are.
    """
    name = prefix + text.upper().replace("-", "_").replace(" ", "_")
    if name in enum.keys() and not name.endswith("_UNSPECIFIED"):  # noqa: SIM118  enum wrappers aren't mappings
        return int(enum.Value(name))
    known = [each.removeprefix(prefix).lower() for each in enum.keys() if not each.endswith("_UNSPECIFIED")]  # noqa: SIM118
    raise MalformedError(f"{text[:40]!r} isn't one of {', '.join(known)}")


def enum_name(number: int, enum: Any, prefix: str) -> str:
    """The name in small letters without prefix; empty for what isn't said."""
    name = str(enum.Name(number)) if number in enum.values() else str(number)
    return "" if name.endswith("_UNSPECIFIED") else name.removeprefix(prefix).lower()


def split_identifier(text: str) -> tuple[str, str]:
    """Scheme and value of `scheme:value`.

    Raises:
        MalformedError: there is no scheme.
    """
    scheme, colon, value = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        raise MalformedError(f"{text[:40]!r} isn't an identifier scheme:value, e.g. uscc:91350100M000100Y43")
    return scheme, value.strip()


def put_name(content: WatchlistContent, kind: int, parts: list[str]) -> None:
    """Adds a name from its text, script and language."""
    content.names.add(text=parts[0], script=parts[1], language=parts[2], kind=kind)


def _single_name(kind: int) -> Column:
    def put(content: WatchlistContent, text: str, notation: Notation) -> None:
        put_name(content, kind, read_parts(text, 3, notation))

    return Column(put, lambda content: write_members(_written_names(content, kind)))


def _names(kind: int) -> Column:
    def put(content: WatchlistContent, text: str, notation: Notation) -> None:
        for member in read_members(text, notation):
            put_name(content, kind, read_parts(member, 3, notation))

    return Column(put, lambda content: write_members(_written_names(content, kind)), many=True)


def _written_names(content: WatchlistContent, kind: int) -> Iterable[str]:
    for each in content.names:
        if each.kind == kind:
            yield write_member((each.text, each.script, each.language))


def _put_identifiers(content: WatchlistContent, text: str, notation: Notation) -> None:
    for member in read_members(text, notation):
        whole, territory, expires = read_parts(member, 3, notation)
        scheme, value = split_identifier(whole)
        territory = read_territory(territory) if territory else ""
        content.identifiers.add(scheme=scheme, value=value, territory=territory, expires=expires)


def _get_identifiers(content: WatchlistContent) -> str:
    return write_members(
        write_member((f"{each.scheme}:{each.value}", each.territory, each.expires)) for each in content.identifiers
    )


def _addresses(name: str) -> Column:
    def put(content: WatchlistContent, text: str, notation: Notation) -> None:
        for member in read_members(text, notation):
            street, city, territory = read_parts(member, 3, notation)
            territory = read_territory(territory) if territory else ""
            getattr(content, name).add(street=street, city=city, territory=territory)

    def get(content: WatchlistContent) -> str:
        found = getattr(content, name)
        return write_members(write_member((each.street, each.city, each.territory), keep=2) for each in found)

    return Column(put, get, many=True)


def _put_commodities(content: WatchlistContent, text: str, notation: Notation) -> None:
    for member in read_members(text, notation):
        scheme, colon, rest = member.partition(":")
        code, _, territory = (rest if colon else member).replace(".", "").partition("@")
        content.commodities.add(code=code, scheme=scheme if colon else _usual(territory), territory=territory)


def _get_commodities(content: WatchlistContent) -> str:
    return write_members(_written_code(each) for each in content.commodities)


def _written_code(each: CommodityCode) -> str:
    scheme = "" if each.scheme == _usual(each.territory) else f"{each.scheme}:"
    return f"{scheme}{each.code}@{each.territory}" if each.territory else f"{scheme}{each.code}"


def _usual(territory: str) -> str:
    return "tariff" if territory else "hs"


def _put_route(content: WatchlistContent, text: str, notation: Notation) -> None:
    for member in read_members(text, notation):
        unlocode, territory, name, office = read_parts(member, 4, notation)
        place = content.route.add(unlocode=unlocode, name=name, customs_office=office)
        place.territory = read_territory(territory) if territory else unlocode[:2]


def _get_route(content: WatchlistContent) -> str:
    return write_members(
        write_member((each.unlocode, each.territory, each.name, each.customs_office), keep=2) for each in content.route
    )


def _list(path: str, convert: Callable[[str], str] = str) -> Column:
    *parents, name = path.split(".")

    def put(content: WatchlistContent, text: str, notation: Notation) -> None:
        getattr(_owner(content, parents), name).extend(convert(each) for each in read_members(text, notation))

    return Column(put, lambda content: ";".join(getattr(_owner(content, parents), name)), many=True)


def _text(path: str) -> Column:
    *parents, name = path.split(".")

    def put(content: WatchlistContent, text: str, notation: Notation) -> None:
        setattr(_owner(content, parents), name, read_text(text, notation))

    return Column(put, lambda content: write_text(getattr(_owner(content, parents), name)))


def _enum(path: str, enum: Any, prefix: str) -> Column:
    *parents, name = path.split(".")

    def put(content: WatchlistContent, text: str, _: Notation) -> None:
        setattr(_owner(content, parents), name, enum_of(text, enum, prefix))

    return Column(put, lambda content: enum_name(getattr(_owner(content, parents), name), enum, prefix))


def _time(name: str) -> Column:
    def put(content: WatchlistContent, text: str, _: Notation) -> None:
        getattr(content, name).CopyFrom(read_time(text))

    def get(content: WatchlistContent) -> str:
        return str(getattr(content, name).ToJsonString()) if content.HasField(name) else ""  # type: ignore[arg-type]

    return Column(put, get)


def _owner(content: WatchlistContent, parents: list[str]) -> Any:
    owner: Any = content
    for parent in parents:
        owner = getattr(owner, parent)
    return owner


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "kind": _enum("kind", watchlist_pb2.WatchlistKind, "WATCHLIST_KIND_"),
        "name": _single_name(watchlist_pb2.LISTED_NAME_KIND_PRIMARY),
        **{column: _names(kind) for kind, column in _NAME_COLUMNS.items() if column != "name"},
        "identifiers": Column(_put_identifiers, _get_identifiers, many=True),
        "addresses": _addresses("addresses"),
        "birth_dates": _list("birth_dates"),
        "birth_periods": _list("birth_periods"),
        "birth_places": _addresses("birth_places"),
        "territories": _list("territories", read_territory),
        "commodities": Column(_put_commodities, _get_commodities, many=True),
        "route": Column(_put_route, _get_route, many=True),
        "reason": _text("reason"),
        "legal_basis": _text("legal_basis"),
        "purpose": _text("purpose"),
        "requested_action": _enum("requested_action", alert_pb2.RequestedAction, "REQUESTED_ACTION_"),
        "valid_from": _time("valid_from"),
        "valid_until": _time("valid_until"),
        "classification": _enum("handling.classification", alert_pb2.Classification, "CLASSIFICATION_"),
        "onward_transfer": _enum("handling.onward_transfer", alert_pb2.OnwardTransfer, "ONWARD_TRANSFER_"),
        "onward_recipients": _list("handling.onward_recipients"),
        "caveat": _text("handling.caveat"),
        "releasable_to": _list("releasable_to"),
        "remarks": _text("remarks"),
    }
)
"""Column to what it sets, beside `list` and `id`. Empty cells set nothing."""


def column_of(violation: Violation, content: WatchlistContent) -> str:
    """The column that a broken rule is about."""
    path = violation.field
    if path.startswith("names["):
        kind = content.names[int(path[6 : path.index("]")])].kind
        return _NAME_COLUMNS.get(kind, "other_names")
    top, _, below = path.partition(".")
    if top == "handling":
        return below.partition("[")[0] or "classification"
    return top.partition("[")[0] or "name"
