"""Normalises an entry's content, so that a source's reordering changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.goods_pb2 import CommodityCode
from gateway.v1.party_pb2 import Address, Identifier
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_ALIAS,
    LISTED_NAME_KIND_PRIMARY,
    LISTED_NAME_KIND_UNSPECIFIED,
    ListedName,
    WatchlistContent,
)

_Key = tuple[str, ...]
_NameKey = tuple[int, str, str, str]


def normalise(content: WatchlistContent) -> None:
    """Normalises in place.

    The first primary name leads, else the first name of no kind; other primary names become aliases. All lists but the
    route are sorted without doubles, and empty addresses go.
    """
    _names(content.names)
    if len(content.identifiers) > 1:
        identifier_keys = [
            (identifier.scheme, identifier.value, identifier.territory, identifier.expires)
            for identifier in content.identifiers
        ]
        _messages(content.identifiers, identifier_keys, _identifier)
    for addresses in (content.addresses, content.birth_places):
        if addresses:
            keys = [(address.street, address.city, address.territory) for address in addresses]
            _messages(addresses, keys, _address)
    if len(content.commodities) > 1:
        codes = [(commodity.scheme, commodity.code, commodity.territory) for commodity in content.commodities]
        _messages(content.commodities, codes, _commodity)
    if len(content.derived_from) > 1:
        alerts = [(alert.publisher, alert.alert_id) for alert in content.derived_from]
        _messages(content.derived_from, alerts, _alert)
    for texts in (content.birth_dates, content.birth_periods, content.territories, content.releasable_to):
        _texts(texts)
    if content.HasField("handling"):
        _texts(content.handling.onward_recipients)


def _names(names: Any) -> None:
    if len(names) == 1 and names[0].kind == LISTED_NAME_KIND_PRIMARY:
        return
    keys: list[_NameKey] = [(name.kind, name.text, name.script, name.language) for name in names]
    wanted = _in_order(keys)
    if wanted != keys:
        del names[:]
        names.extend(
            ListedName(kind=kind, text=text, script=script, language=language)  # type: ignore[arg-type]
            for kind, text, script, language in wanted
        )


def _in_order(keys: list[_NameKey]) -> list[_NameKey]:
    place = _primary(keys)
    if place is None:
        return sorted(set(keys))
    leading = (LISTED_NAME_KIND_PRIMARY, *keys[place][1:])
    others = {
        (LISTED_NAME_KIND_ALIAS, *key[1:]) if key[0] == LISTED_NAME_KIND_PRIMARY else key
        for at, key in enumerate(keys)
        if at != place
    }
    said_again = {(LISTED_NAME_KIND_UNSPECIFIED, *leading[1:]), (LISTED_NAME_KIND_ALIAS, *leading[1:])}
    return [leading, *sorted(others - said_again)]


def _primary(keys: list[_NameKey]) -> int | None:
    for kind in (LISTED_NAME_KIND_PRIMARY, LISTED_NAME_KIND_UNSPECIFIED):
        for at, key in enumerate(keys):
            if key[0] == kind:
                return at
    return None


def _identifier(key: _Key) -> Identifier:
    return Identifier(scheme=key[0], value=key[1], territory=key[2], expires=key[3])


def _address(key: _Key) -> Address:
    return Address(street=key[0], city=key[1], territory=key[2])


def _alert(key: _Key) -> AlertReference:
    return AlertReference(publisher=key[0], alert_id=key[1])


def _commodity(key: _Key) -> CommodityCode:
    return CommodityCode(scheme=key[0], code=key[1], territory=key[2])


def _messages(field: Any, keys: Sequence[_Key], make: Callable[[_Key], Any]) -> None:
    wanted = sorted({key for key in keys if any(key)})
    if wanted != keys:
        del field[:]
        field.extend(make(key) for key in wanted)


def _texts(field: Any) -> None:
    if len(field) > 1:
        wanted = sorted(set(field))
        if wanted != list(field):
            field[:] = wanted
