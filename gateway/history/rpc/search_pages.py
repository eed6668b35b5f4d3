"""Page tokens of a search over several nodes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from itertools import chain
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
    values = _values_of_nodes(request)
    if values is None:
        return None
    if not all(map(_is_position, chain.from_iterable(values.values()))):
        raise _no_token()
    return {node: SearchPosition(*map(int, numbers)) for node, numbers in values.items()}


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
    values = _values_of_nodes(request)
    if values is None:
        return None
    places: dict[str, NodePlace] = {}
    for node, (as_of, declared_ms, record_id) in values.items():
        if not (_is_position(as_of) and _is_position(declared_ms)) or int(declared_ms) > MAX_UNIX_MS:
            raise _no_token()
        places[node] = NodePlace(int(as_of), RecordKey(int(declared_ms), record_id) if record_id else None)
    return places


def _values_of_nodes(request: pb.SearchShipmentsRequest) -> dict[str, list[str]] | None:
    """The three values of each node in a token; None without one."""
    token = decode_page_token(request.page_token, _tag(request), 1)
    if token is None:
        return None
    parts = [part.split(":", 3) for part in token[0].split(" ")]
    if any(len(part) != 4 for part in parts):
        raise _no_token()
    return {node: values for node, *values in parts}


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
