"""The normal form of an entry's content, so that a source that only reorders itself changes nothing.

Owns the order of parts whose order means nothing, and the digest that tells contents apart. Doesn't change what stands
in a part: names and numbers stay as written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

from gateway.v1.goods_pb2 import CommodityCode
from gateway.v1.party_pb2 import Address, Identifier
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_ALIAS,
    LISTED_NAME_KIND_PRIMARY,
    LISTED_NAME_KIND_UNSPECIFIED,
    ListedName,
    WatchlistContent,
)

_NameKey = tuple[int, str, str, str]


def normalise(content: WatchlistContent) -> None:
    """Brings a content into its normal form, in place. Doing it twice changes nothing more.

    The first primary name leads, or, where none is called primary, the first name whose kind isn't said; further
    primary names become aliases. All other names, identifiers, addresses, dates, territories, commodities and
    recipients are sorted and stand once; addresses that say nothing go. The order of a route means something and stays.
    """
    _names(content.names)
    _messages(content.identifiers, _identifier_key, lambda key: Identifier(scheme=key[0], value=key[1]))
    _messages(content.addresses, _address_key, lambda key: Address(street=key[0], city=key[1], territory=key[2]), any)
    _messages(
        content.commodities,
        lambda each: (each.scheme, each.code, each.territory),
        lambda key: CommodityCode(scheme=key[0], code=key[1], territory=key[2]),
    )
    _texts(content.birth_dates)
    _texts(content.territories)
    _texts(content.releasable_to)
    if content.HasField("handling"):
        _texts(content.handling.onward_recipients)


def digest(content: WatchlistContent) -> bytes:
    """SHA-256 of the deterministic serialisation of the normal form, 32 bytes."""
    normal = WatchlistContent()
    normal.CopyFrom(content)
    normalise(normal)
    return sha256(normal.SerializeToString(deterministic=True)).digest()


def _names(names: Any) -> None:
    keys: list[_NameKey] = [(each.kind, each.text, each.script, each.language) for each in names]
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


def _identifier_key(each: Identifier) -> tuple[str, ...]:
    return each.scheme, each.value


def _address_key(each: Address) -> tuple[str, ...]:
    return each.street, each.city, each.territory


def _messages(
    field: Any,
    key_of: Callable[[Any], tuple[str, ...]],
    make: Callable[[tuple[str, ...]], Any],
    keep: Callable[[Iterable[str]], bool] = lambda _: True,
) -> None:
    if not field:
        return
    keys = [key_of(each) for each in field]
    wanted = sorted({key for key in keys if keep(key)})
    if wanted != keys:
        del field[:]
        field.extend(make(key) for key in wanted)


def _texts(field: Any) -> None:
    if len(field) > 1:
        wanted = sorted(set(field))
        if wanted != list(field):
            field[:] = wanted
