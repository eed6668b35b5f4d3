"""Page tokens of a search over several nodes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from gateway.contract.filters import decode_page_token, encode_page_token
from gateway.errors import InvalidRequestError, Violation
from gateway.history.rules.ordered_reading import NodePlace, RecordKey
from gateway.v1 import history_service_pb2 as pb

MAX_UNIX_MS = 253_402_300_799_999
"""End of the year 9999."""


class SearchPosition(NamedTuple):
    """Below `before`, among items up to `as_of`; 0 and 0: from the newest.

    `recorded` is the last position of our node when the first page was searched; 0 at partners.
    """

    before: int = 0
    as_of: int = 0
    recorded: int = 0


START = SearchPosition()


def encode_positions(request: pb.SearchShipmentsRequest, positions: Mapping[str, SearchPosition]) -> str:
    """The next page's token; empty at the end."""
    if not positions:
        return ""
    parts = (":".join(map(str, (node, *position))) for node, position in sorted(positions.items()))
    return encode_page_token([" ".join(parts)], _tag(request))


def decode_positions(request: pb.SearchShipmentsRequest) -> dict[str, SearchPosition] | None:
    """Positions by node.

    Raises:
        InvalidRequestError: not a token of this search.
    """
    token = decode_page_token(request.page_token, _tag(request), 1)
    if token is None:
        return None
    positions: dict[str, SearchPosition] = {}
    for part in token[0].split(" "):
        node, *numbers = part.split(":")
        if len(numbers) != len(SearchPosition._fields) or not all(_is_position(number) for number in numbers):
            raise _no_token()
        positions[node] = SearchPosition(*map(int, numbers))
    return positions


def encode_places(request: pb.SearchShipmentsRequest, places: Mapping[str, NodePlace]) -> str:
    """The next page's token of a search in overall order; empty at the end."""
    if not places:
        return ""
    parts = []
    for node, place in sorted(places.items()):
        after = place.after or RecordKey(0, "")
        parts.append(f"{node}:{place.as_of}:{after.declared_ms}:{after.record_id}")
    return encode_page_token([" ".join(parts)], _tag(request))


def decode_places(request: pb.SearchShipmentsRequest) -> dict[str, NodePlace] | None:
    """Places by node.

    Raises:
        InvalidRequestError: not a token of this search.
    """
    token = decode_page_token(request.page_token, _tag(request), 1)
    if token is None:
        return None
    places: dict[str, NodePlace] = {}
    for part in token[0].split(" "):
        node, *rest = part.split(":", 3)
        if len(rest) != 3 or not _is_position(rest[0]) or not 0 <= _number(rest[1]) <= MAX_UNIX_MS:
            raise _no_token()
        places[node] = NodePlace(int(rest[0]), RecordKey(int(rest[1]), rest[2]) if rest[2] else None)
    return places


def _number(text: str) -> int:
    return int(text) if _is_position(text) else -1


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 1 << 62


def _no_token() -> InvalidRequestError:
    return InvalidRequestError(
        [Violation("page_token", "page_token.form", "not a token that a search gave; start again without one")]
    )


def _tag(request: pb.SearchShipmentsRequest) -> str:
    """Grounds and size may change between pages, and the order within each node's."""
    bound = pb.SearchShipmentsRequest(criteria=request.criteria, mode=request.mode, nodes=request.nodes)
    if request.order == pb.SEARCH_ORDER_OVERALL:
        bound.order = request.order
    return sha256(bound.SerializeToString(deterministic=True)).hexdigest()
