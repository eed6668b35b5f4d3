"""The normal form: a source that only reorders itself digests to the same, and what means something stays."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.lists.normal import normalise
from gateway.v1.watchlist_pb2 import ListedName, WatchlistContent
from gateway.watchlists.codec.events import content_digest
from tests.support.watchlists import contents


def digest(content: WatchlistContent) -> bytes:
    """The digest of the normal form, as every reader gives it."""
    normal = WatchlistContent()
    normal.CopyFrom(content)
    normalise(normal)
    return content_digest(normal)


@given(contents(), st.randoms())
def test_order_without_meaning_does_not_change_the_digest(content: WatchlistContent, shuffle: random.Random) -> None:
    mixed = WatchlistContent()
    mixed.CopyFrom(content)
    leading, *others = list(content.names)
    for name, parts in (
        ("identifiers", list(content.identifiers)),
        ("addresses", list(content.addresses)),
        ("commodities", list(content.commodities)),
        ("birth_dates", list(content.birth_dates)),
        ("territories", list(content.territories)),
        ("releasable_to", list(content.releasable_to)),
        ("derived_from", list(content.derived_from)),
    ):
        shuffle.shuffle(parts)
        del getattr(mixed, name)[:]
        getattr(mixed, name).extend([*parts, *parts[:1]])
    shuffle.shuffle(others)
    del mixed.names[:]
    mixed.names.extend([leading, *others])
    assert digest(mixed) == digest(content)
    normalise(mixed)
    assert mixed == content


@given(contents())
def test_normalising_twice_is_normalising_once(content: WatchlistContent) -> None:
    again = WatchlistContent()
    again.CopyFrom(content)
    normalise(again)
    assert again == content
    assert digest(content) == content_digest(content)


@given(contents())
def test_the_order_of_a_route_and_the_primary_name_mean_something(content: WatchlistContent) -> None:
    other = WatchlistContent()
    other.CopyFrom(content)
    other.names.insert(0, ListedName(text="Another primary name", kind=1))
    assert digest(other) != digest(content)
    if len(content.route) > 1 and content.route[0] != content.route[-1]:
        turned = WatchlistContent()
        turned.CopyFrom(content)
        del turned.route[:]
        turned.route.extend(reversed(content.route))
        if list(turned.route) != list(content.route):
            assert digest(turned) != digest(content)
