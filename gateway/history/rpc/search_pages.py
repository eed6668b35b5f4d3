"""Page tokens of a search over several nodes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from gateway.contract.filters import decode_page_token, encode_page_token
from gateway.errors import InvalidRequestError, Violation
from gateway.v1 import history_service_pb2 as pb


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
            raise InvalidRequestError(
                [Violation("page_token", "page_token.form", "not a token that a search gave; start again without one")]
            )
        positions[node] = SearchPosition(*map(int, numbers))
    return positions


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < 1 << 62


def _tag(request: pb.SearchShipmentsRequest) -> str:
    """Grounds, size and order may change between pages."""
    bound = pb.SearchShipmentsRequest(criteria=request.criteria, mode=request.mode, nodes=request.nodes)
    return sha256(bound.SerializeToString(deterministic=True)).hexdigest()
