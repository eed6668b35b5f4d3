"""What is one thing and what isn't."""

from __future__ import annotations

import pytest

from gateway.contract.identification.shipment_keys import name_key
from gateway.link_analysis.rules import index_keys
from gateway.link_analysis.rules.mentions import of_alert, of_entry, of_shipment
from gateway.link_analysis.rules.things import Mention, Space, keys_of, term, thing_of
from gateway.v1 import alert_pb2, goods_pb2, party_pb2
from gateway.v1.watchlist_pb2 import WATCHLIST_KIND_ORGANISATION, WatchlistContent
from tests.support.shipments import shipment


def keys(space: Space, *names: str, **numbers: str) -> set[str]:
    return set(keys_of(space, names, numbers.items()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (keys(Space.PARTY, "Wang Tat  METALS Limited"), keys(Space.PARTY, "wang tat metals limited")),
        (keys(Space.PARTY, uscc="9144-0300715267260G"), keys(Space.PARTY, "Other", uscc="91440300715267260g")),
        (keys(Space.VEHICLE, hk_vehicle_plate="AB 1234"), keys(Space.VEHICLE, other="ＡＢ１２３４")),
        (keys(Space.VESSEL, imo_ship="IMO 9074729"), keys(Space.VESSEL, imo="9074729")),
        (keys(Space.CONTAINER, iso6346="CSQU 305438-3"), keys(Space.CONTAINER, iso6346="CSQU3054383")),
    ],
)
def test_written_otherwise_it_is_the_same_thing(one: set[str], other: set[str]) -> None:
    assert one & other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (keys(Space.PARTY, uscc="91440300715267260G"), keys(Space.PARTY, hk_brn="91440300715267260G")),
        (keys(Space.PARTY, "Wang Tat"), keys(Space.VESSEL, "Wang Tat")),
        (keys(Space.PARTY, "王大"), keys(Space.PARTY, "王太")),
    ],
)
def test_another_scheme_kind_or_name_is_another_thing(one: set[str], other: set[str]) -> None:
    assert not one & other


def test_what_is_too_short_connects_nothing() -> None:
    assert not keys(Space.PARTY, "ABC", scheme="12")
    assert not keys(Space.PARTY, "王")
    assert keys(Space.PARTY, "王大")


def test_a_partys_name_has_the_key_of_the_contract() -> None:
    (key,) = keys(Space.PARTY, "Wang Tat Metals Limited")
    assert term(key) == name_key("WANG TAT  metals limited")
    numbers = {
        term(each) for each in keys(Space.PARTY, uscc="91440300715267260G") | keys(Space.CONTAINER, iso="CSQU3054383")
    }
    assert len(numbers) == 2
    assert all(0 <= number < 1 << 62 for number in numbers)


def test_an_id_of_a_node_is_read_back_and_nothing_else_is() -> None:
    for space in Space:
        for key in keys_of(space, ["Wang Tat: Metals"], [("scheme", "CSQU3054383")]):
            read = thing_of(key)
            assert read is not None
            assert keys_of(*read) == (key,)
    for text in (
        "",
        "party",
        "party\x1fid\x1f\x1f",
        "nothing\x1fid\x1f\x1fABCD",
        "party\x1fname\x1f\x1fNot Clean",
        "a\x1fb\x1fc",
    ):
        assert thing_of(text) is None


def test_a_shipment_names_each_thing_once() -> None:
    made = shipment()
    made.parties[1].addresses.add(street="12 Kwai Fuk Road", city="Kwai Chung", territory="HK")
    made.parties[1].addresses.add(city="Hong Kong", territory="HK")
    leg = made.route.add(means=made.means[0])
    leg.means.mode = goods_pb2.TRANSPORT_MODE_ROAD
    found = of_shipment(made)
    spaces = [mention.space for mention in found]
    assert spaces.count(Space.VEHICLE) == 1
    assert spaces.count(Space.CONTAINER) == 1
    assert spaces.count(Space.ADDRESS) == 1  # a city alone is none
    assert [(each.keys, each.terms) for each in index_keys.addresses_of(made)] == [
        (mention.keys, tuple(map(term, mention.keys))) for mention in found if mention.space is Space.ADDRESS
    ]
    assert [(m.role, m.field) for m in found if m.space is Space.PARTY] == [
        ("exporter", "parties[0]"),
        ("consignee", "parties[1]"),
    ]


@pytest.mark.parametrize("length", [1, 400])  # of parties that are remembered, and of longer ones
def test_the_index_has_what_the_graph_names(length: int) -> None:
    made = shipment()
    made.parties[0].names.add(text="Wang Tat Metals")
    made.parties[0].names.add(text="Wu")  # is no name that connects
    made.parties[1].addresses.add(street="12 Kwai Fuk Road" * length, city="Kwai Chung", territory="HK")
    content = alert_pb2.AlertContent(
        subject=alert_pb2.Subject(parties=(*made.parties, *made.parties), equipment=made.equipment, means=made.means)
    )
    content.route.add(means=made.means[0])
    content.route.add()
    named = of_alert(content)
    for _ in range(2):  # the second time they are remembered
        indexed = index_keys.of_alert(content)
        assert [each.keys for each in indexed] == [mention.keys for mention in named]
        assert all(each.terms == tuple(map(term, each.keys)) for each in indexed)
        assert [each.names for each in indexed] == [
            tuple((name_key(name), name) for name in mention.names if mention.space is Space.PARTY and name != "Wu")
            for mention in named
        ]
    assert (name_key("Wang Tat Metals"), "Wang Tat Metals") in indexed[0].names


def test_flights_and_trains_are_no_things() -> None:
    made = shipment()
    del made.means[:]
    air = made.means.add(mode=goods_pb2.TRANSPORT_MODE_AIR, journey="CX 123")
    air.registrations.add(scheme="flight", value="CX1234")
    made.means.add(mode=goods_pb2.TRANSPORT_MODE_SEA, name="MV Example Star")
    means = [mention for mention in of_shipment(made) if mention.space in (Space.VEHICLE, Space.VESSEL)]
    assert [(mention.space, mention.names) for mention in means] == [(Space.VESSEL, ("MV Example Star",))]


def test_an_entry_names_its_subject_and_addresses() -> None:
    entry = WatchlistContent(
        kind=WATCHLIST_KIND_ORGANISATION,
        addresses=[party_pb2.Address(street="12 Kwai Fuk Road", city="Kwai Chung", territory="HK")],
    )
    entry.names.add(text="Wang Tat Metals Limited")
    entry.identifiers.add(scheme="hk_brn", value="12345678")
    subject, address = of_entry(entry)
    assert subject == Mention(Space.PARTY, ("Wang Tat Metals Limited",), (("hk_brn", "12345678"),), "names")
    assert address.space is Space.ADDRESS
