"""Records with a release list of their own: to a partner that it doesn't name they are as if they weren't there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.history.codec.signed_texts import parse_record
from gateway.history.commands.record import check
from gateway.history.tables.schema import release_lists
from gateway.v1 import goods_pb2, history_pb2, shipment_pb2
from tests.support.answers import Answered, Pair, pairs
from tests.support.databases import MakeDatabase
from tests.support.shipments import items, shipment

HIT = history_pb2.ANSWER_MODE_HIT
UCR = goods_pb2.SHIPMENT_REFERENCE_KIND_UCR

pytestmark = pytest.mark.both_databases


@pytest.fixture
def pair(tmp_path: Path, make_database: MakeDatabase) -> Iterator[Pair]:
    """cn asks hk."""
    with pairs(tmp_path, make_database) as made:
        yield made


def released(record_id: str, *nodes: str, **changes: object) -> shipment_pb2.Shipment:
    """A record that may be released to these alone."""
    return shipment(record_id, releasable_to=shipment_pb2.ReleaseList(nodes=nodes), **changes)


def ids(answered: Answered) -> list[str]:
    return [parse_record(one).shipment.record_id for one in answered.records]


@dataclass(frozen=True)
class Told:
    """Everything that an answer tells beside its ids and times."""

    ids: Sequence[str]
    count: int
    more: bool
    withheld: int
    hit: bool | None
    unindexed: tuple[int, bool]

    @classmethod
    def by(cls, answered: Answered) -> Told:
        said = answered.statement
        return cls(ids(answered), said.count, bool(said.more_before), said.withheld, said.hit, tuple(said.unindexed))


def test_the_list_narrows_and_is_told_to_nobody(pair: Pair) -> None:
    pair.record(
        shipment("ALL"), released("CN", "cn"), released("BOTH", "cn", "mo"), released("MO", "mo"), released("NONE")
    )
    answered = pair.ask()
    assert ids(answered) == ["BOTH", "CN", "ALL"]
    assert not any(parse_record(one).shipment.HasField("releasable_to") for one in answered.records)
    own = [one for chunk in pair.search.chunks(answered.question.query.criteria) for one in chunk.records]
    assert [one.shipment.record_id for one in own] == ["NONE", "MO", "BOTH", "CN", "ALL"]
    assert list(own[1].shipment.releasable_to.nodes) == ["mo"]
    assert own[0].shipment.HasField("releasable_to")


def test_an_answer_is_the_same_as_if_the_others_werent_there(pair: Pair) -> None:
    pair.record(*(shipment(f"A{at}") for at in range(3)))
    questions = (
        {"limit": 2},
        {"limit": 3},
        {"limit": 3, "whole": True},
        {"mode": HIT},
        {"criteria": history_pb2.SearchCriteria(record_ids=["X1", "A1"])},
        {"criteria": history_pb2.SearchCriteria(record_ids=["X1"]), "mode": HIT},
        {"criteria": history_pb2.SearchCriteria(commodity_codes=["7901"], places=["CNSZW"])},
        {"criteria": history_pb2.SearchCriteria(party_names=["Wang Tat Metals"])},
    )
    before = [Told.by(pair.ask(**asked)) for asked in questions]
    pair.record(*(released(f"X{at}", "mo") for at in range(5)))
    pair.record_alone(released("X6"), shipment_pb2.ShipmentAddition(record_id="X1", events=[arrival()]))
    assert [Told.by(pair.ask(**asked)) for asked in questions] == before
    pair.index()
    assert [Told.by(pair.ask(**asked)) for asked in questions] == before


def test_links_arent_followed_through_a_record_that_isnt_released(pair: Pair) -> None:
    reference = goods_pb2.ShipmentReference(kind=UCR, value="6CN914403007152-7")
    pair.record(
        shipment("A", equipment=[], references=[reference]),
        released("X", "mo", equipment=[goods_pb2.Equipment(id="MSKU9070323")], references=[reference]),
        shipment("B", equipment=[goods_pb2.Equipment(id="MSKU9070323")], references=[]),
    )
    first = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value="6CN914403007152-7")])
    assert ids(pair.ask(criteria=first, follow=True)) == ["A"]
    pair.record(shipment("X", equipment=[goods_pb2.Equipment(id="MSKU9070323")], references=[reference]))
    assert ids(pair.ask(criteria=first, follow=True)) == ["X", "A", "B"]


def test_narrowing_counts_at_once_and_widening_with_the_index(pair: Pair) -> None:
    pair.record(shipment("A"), shipment("B"))
    pair.record_alone(released("A", "mo"))
    told = Told.by(pair.ask())
    assert (told.ids, told.unindexed) == (["B"], (0, False))
    pair.index()
    assert ids(pair.ask()) == ["B"]
    pair.record_alone(released("A", "cn"))
    assert Told.by(pair.ask()) == told
    pair.index()
    assert ids(pair.ask()) == ["A", "B"]
    pair.record(shipment("A"))
    assert ids(pair.ask()) == ["A", "B"]
    with pair.hk.database.read() as conn:
        assert not list(conn.execute(select(release_lists)))


def test_two_revisions_in_one_batch_leave_the_list_of_the_last(pair: Pair) -> None:
    pair.record_alone(released("A", "mo"), shipment("B"), shipment("A"), released("B", "mo"))
    pair.index()
    assert ids(pair.ask()) == ["A"]


def test_an_older_revision_finds_by_the_newest_list(pair: Pair) -> None:
    pair.record(shipment("A"))
    pair.record(released("A", "mo", equipment=[goods_pb2.Equipment(id="MSKU9070323")]))
    assert ids(pair.ask()) == []


def test_a_name_that_is_no_member_is_refused_with_its_field() -> None:
    wrong = released("A", "hk", "sg")
    good, (refused,) = check(items(released("B"), wrong), ("cn", "hk", "mo"), retention_classes=lambda _: True)
    (violation,) = refused.error.violations
    assert [one.record_id for one in good] == ["B"]
    assert violation.field == "shipment.releasable_to.nodes[1]"
    assert violation.message == "the directory has no member 'sg'; it names cn, hk, mo"


def arrival() -> shipment_pb2.ShipmentEvent:
    event = shipment_pb2.ShipmentEvent(kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_IN)
    event.occurred_at.FromSeconds(1_768_100_000)
    return event
