"""Names a publisher with a recipient: alerts have a feed for each priority between them."""

from __future__ import annotations

from gateway.contract.ids import FeedOrigin


def pair(publisher: str, recipient: str) -> str:
    """E.g. cn/hk."""
    return f"{publisher}/{recipient}"


def pair_of(origin: str) -> str:
    """The pair of a feed."""
    feed = FeedOrigin.parse(origin)
    return pair(feed.publisher, feed.recipient)
