"""Keys under which the index has what alerts and shipments name.

They are those of `mentions`; parties and means of transport are remembered, since they come again and again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from gateway.contract.identification.shipment_keys import name_key
from gateway.link_analysis.rules import mentions
from gateway.link_analysis.rules.mentions import AlertPart
from gateway.link_analysis.rules.things import CONTAINER_SCHEME, Mention, Space, is_telling, keys_of, term
from gateway.v1 import alert_pb2, goods_pb2, party_pb2, shipment_pb2

LONGEST_REMEMBERED = 512
"""Bytes of a party or a means of transport; with their number it bounds memory, some 20 MB."""


class IndexedMention(NamedTuple):
    """What the index keeps of a mention.

    Attributes:
        keys: what identifies it.
        terms: their numbers, in the same order.
        names: of a party, as (key, text), without those that are too short to connect.
    """

    keys: tuple[str, ...]
    terms: tuple[int, ...]
    names: tuple[tuple[int, str], ...]


def of_alert(content: alert_pb2.AlertContent) -> list[IndexedMention]:
    """What an alert names: of the mentions of `mentions.of_alert`."""
    return mentions.once(each for _, _, part in mentions.parts_of_alert(content) for each in _of_part(part))


def addresses_of(shipment: shipment_pb2.Shipment) -> list[IndexedMention]:
    """The addresses that a shipment names."""
    parties = (party for party in shipment.parties if party.addresses)
    return mentions.once(each for party in parties for each in _of_addresses(party))


def _indexed(named: Iterable[Mention]) -> tuple[IndexedMention, ...]:
    return tuple(map(_mention, named))


def _mention(mention: Mention) -> IndexedMention:
    keys = mention.keys
    names = mention.names if mention.space is Space.PARTY else ()
    telling = tuple((name_key(name), name) for name in names if is_telling(name))
    return IndexedMention(keys, tuple(map(term, keys)), telling)


def _of_part(part: AlertPart) -> tuple[IndexedMention, ...]:
    if isinstance(part, goods_pb2.Equipment):  # it seldom comes again
        keys = keys_of(Space.CONTAINER, (), ((CONTAINER_SCHEME, part.id),))
        return (IndexedMention(keys, tuple(map(term, keys)), ()),)
    serialised = part.SerializeToString()
    if len(serialised) > LONGEST_REMEMBERED:
        return _indexed(mentions.of_part(part, ""))
    return _party(serialised) if isinstance(part, party_pb2.Party) else _means(serialised)


@lru_cache(maxsize=8_192)
def _party(serialised: bytes) -> tuple[IndexedMention, ...]:
    return _indexed(mentions.of_part(party_pb2.Party.FromString(serialised), ""))


@lru_cache(maxsize=8_192)
def _means(serialised: bytes) -> tuple[IndexedMention, ...]:
    return _indexed(mentions.of_part(goods_pb2.TransportMeans.FromString(serialised), ""))


def _of_addresses(party: party_pb2.Party) -> tuple[IndexedMention, ...]:
    serialised = party.SerializeToString()
    if len(serialised) > LONGEST_REMEMBERED:
        return _indexed(mentions.addresses_in(party, ""))
    return _remembered_addresses(serialised)


@lru_cache(maxsize=8_192)
def _remembered_addresses(serialised: bytes) -> tuple[IndexedMention, ...]:
    return _indexed(mentions.addresses_in(party_pb2.Party.FromString(serialised), ""))
