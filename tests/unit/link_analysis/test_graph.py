"""The graph of some records, beside one that is put together by comparing all pairs."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.link_analysis.rules.graph import LinkedRecords, NameComparison, NamedRecord, edges, omitted_neighbours
from gateway.link_analysis.rules.things import Mention, Space, keys_of

names = st.sampled_from([f"name{number}" for number in range(6)])
numbers = st.sampled_from([("scheme", f"number{number}") for number in range(6)])
spaces = st.sampled_from([Space.PARTY, Space.CONTAINER, Space.VESSEL])


@st.composite
def mention(draw: st.DrawFn) -> Mention:
    space = draw(spaces)
    given_names = tuple(draw(st.lists(names, max_size=2, unique=True)))
    given_numbers = tuple(draw(st.lists(numbers, min_size=0 if given_names else 1, max_size=2, unique=True)))
    return Mention(space, given_names, given_numbers, "field")


@st.composite
def recorded(draw: st.DrawFn) -> list[NamedRecord]:
    found = draw(st.lists(st.lists(mention(), min_size=1, max_size=4), max_size=6))
    return [NamedRecord(("shipment", str(at)), at, tuple(each)) for at, each in enumerate(found)]


def naive_things(records: list[NamedRecord]) -> list[frozenset[str]]:
    """Sets of keys that mentions join."""
    things: list[set[str]] = []
    for record in records:
        for each in record.mentions:
            keys = set(each.keys)
            joined = [thing for thing in things if thing & keys]
            things = [thing for thing in things if not thing & keys]
            things.append(keys.union(*joined))
    return [frozenset(thing) for thing in things]


def graph(records: list[NamedRecord]) -> LinkedRecords:
    linked = LinkedRecords()
    for record in records:
        linked.add(record)
    return linked


def drawn(linked: LinkedRecords) -> set[tuple[frozenset[str], frozenset[str], int]]:
    """Edges by the keys of their ends."""
    nodes = list({id(node): node for record in linked.records.values() for node in linked.nodes_of(record)}.values())
    found = edges(linked, nodes, {id(node) for node in nodes})
    return {
        (*sorted((frozenset(nodes[e.one].keys), frozenset(nodes[e.other].keys)), key=sorted), len(e.records))
        for e in found
    }


@given(recorded(), st.randoms(use_true_random=False))
def test_nodes_and_edges_are_those_of_all_pairs_in_any_order(records: list[NamedRecord], chance: random.Random) -> None:
    things = naive_things(records)
    expected: dict[tuple[frozenset[str], frozenset[str]], int] = {}
    for record in records:
        of_record = {thing for thing in things for each in record.mentions if thing & set(each.keys)}
        for one in of_record:
            for other in of_record:
                if sorted(one) < sorted(other):
                    expected[one, other] = expected.get((one, other), 0) + 1
    linked = graph(records)
    assert {frozenset(node.keys) for record in records for node in linked.nodes_of(record)} == set(things)
    assert drawn(linked) == {(one, other, count) for (one, other), count in expected.items()}
    shuffled = list(records)
    chance.shuffle(shuffled)
    assert drawn(graph(shuffled)) == drawn(linked)


def party(name: str, *numbers_: tuple[str, str]) -> Mention:
    return Mention(Space.PARTY, (name,), numbers_, "parties[0]")


def test_only_edges_of_centres_are_drawn() -> None:
    record = NamedRecord(("shipment", "1"), 1, (party("first"), party("second"), party("third")))
    linked = graph([record])
    nodes = linked.nodes_of(record)
    assert {(edge.one, edge.other) for edge in edges(linked, nodes, {id(nodes[0])})} == {(0, 1), (0, 2)}
    assert omitted_neighbours(linked, nodes[0], {id(nodes[0]): 0, id(nodes[1]): 1}) == 1


def test_compared_names_are_an_edge_with_its_score_and_the_better_counts() -> None:
    one, other = party("Wang Tat Metals"), party("宏達金屬")
    linked = graph([NamedRecord(("shipment", "1"), 1, (one,)), NamedRecord(("shipment", "2"), 2, (other,))])
    keys = one.keys[0], other.keys[0]
    linked.compare(*keys, NameComparison("Wang Tat Metals", "宏達金屬", 0.85, "compatible: a reading"))
    linked.compare(*keys, NameComparison("Wang Tat Metals", "宏達金屬", 0.95, "strong: all of it"))
    nodes = [linked.known(one), linked.known(other)]
    (edge,) = edges(linked, nodes, set())
    assert edge.comparison is not None
    assert edge.comparison.because == "strong: all of it"
    (turned,) = edges(linked, nodes[::-1], set())
    assert turned.comparison is not None
    assert (turned.comparison.asked, turned.comparison.found) == ("宏達金屬", "Wang Tat Metals")


def test_a_declarant_is_one_that_never_trades() -> None:
    declares = Mention(Space.PARTY, ("Forwarder Limited",), (), "parties[0]", "declarant")
    trades = Mention(Space.PARTY, ("Forwarder Limited",), (), "parties[1]", "consignee")
    linked = graph([NamedRecord(("shipment", "1"), 1, (declares,))])
    assert linked.known(declares).kind == 2
    linked.add(NamedRecord(("shipment", "2"), 2, (trades,)))
    assert linked.known(declares).kind == 1


def test_two_nodes_that_a_record_shows_to_be_one_are_joined() -> None:
    name, number = party("Wang Tat Metals"), Mention(Space.PARTY, (), (("hk_brn", "12345678"),), "parties[0]")
    both = party("Wang Tat Metals", ("hk_brn", "12345678"))
    linked = graph([NamedRecord(("alert", "cn", "1"), 1, (name,)), NamedRecord(("shipment", "2"), 2, (number,))])
    assert linked.known(name) is not linked.known(number)
    linked.add(NamedRecord(("shipment", "3"), 3, (both,)))
    assert linked.known(name) is linked.known(number)
    assert len(linked.known(name).records) == 3
    assert keys_of(Space.PARTY, *_parts(both)) == tuple(sorted(linked.known(name).keys))


def _parts(mention: Mention) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    return mention.names, mention.identifiers
