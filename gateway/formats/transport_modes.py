"""Reads modes of transport from other systems: codes of UN/ECE Recommendation 19, and words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.v1 import goods_pb2

NOT_KNOWN = goods_pb2.TRANSPORT_MODE_UNSPECIFIED

_MODES: Mapping[str, goods_pb2.TransportMode.ValueType] = MappingProxyType(
    {
        "1": goods_pb2.TRANSPORT_MODE_SEA,
        "2": goods_pb2.TRANSPORT_MODE_RAIL,
        "3": goods_pb2.TRANSPORT_MODE_ROAD,
        "4": goods_pb2.TRANSPORT_MODE_AIR,
        "5": goods_pb2.TRANSPORT_MODE_MAIL,
        "7": goods_pb2.TRANSPORT_MODE_FIXED,
        "8": goods_pb2.TRANSPORT_MODE_INLAND_WATER,
        "sea": goods_pb2.TRANSPORT_MODE_SEA,
        "rail": goods_pb2.TRANSPORT_MODE_RAIL,
        "road": goods_pb2.TRANSPORT_MODE_ROAD,
        "air": goods_pb2.TRANSPORT_MODE_AIR,
        "mail": goods_pb2.TRANSPORT_MODE_MAIL,
        "fixed": goods_pb2.TRANSPORT_MODE_FIXED,
        "inland_water": goods_pb2.TRANSPORT_MODE_INLAND_WATER,
    }
)
"""The first digit of one or two; words as in a mapping's [values]."""

_SAYS_NOTHING = frozenset("069")
"""Modes that say no single one: not specified, multimodal, not known."""


def mode_of(coded: str) -> goods_pb2.TransportMode.ValueType | None:
    """The mode for a code or word; NOT_KNOWN if the code says so, None if unknown."""
    is_code = coded.isascii() and coded.isdigit() and len(coded) <= 2
    key = coded[:1] if is_code else coded.lower()
    if is_code and key in _SAYS_NOTHING:
        return NOT_KNOWN
    return _MODES.get(key)
