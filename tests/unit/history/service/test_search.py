"""Searches against a naive reading of everything that was recorded: keys in several cells, times, grown records,
alternatives, pages."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Connection

from gateway.contract.identification.shipment_keys import key_sets
from gateway.history.service import search as history_search
from gateway.history.service.criteria import filter_of
from gateway.history.service.search import NEWEST
from gateway.history.tables import cells, shipment_search
from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes
from tests.support.recording import index, record, searching

BEGIN_S = 1_767_225_600
DAY_S = 24 * 3600
EXPORT, IMPORT = shipment_pb2.SHIPMENT_PROCEDURE_EXPORT, shipment_pb2.SHIPMENT_PROCEDURE_IMPORT
TRADERS = [f"T{number}" for number in range(20)]
CONTAINERS = ["CSQU3054383", "MSCU6639870", "TGHU1234567"]
SEALS = ["S1", "S2", "S3", "S4"]
QUESTIONS = 150


@dataclass(frozen=True, slots=True)
class Item:
    """What was recorded at one position: a revision, or an addition to a record."""

    position: int
    record_id: str
    revision: int
    day: int
    procedure: int
    values: frozenset[str]


@dataclass
class Naive:
    """Everything that was recorded, and searches that read all of it."""

    items: list[Item] = field(default_factory=list)

    def newest(self, record_id: str) -> Item | None:
        return max(
            (one for one in self.items if one.record_id == record_id), key=lambda one: one.position, default=None
        )

    def find(self, asked: Sequence[history_pb2.SearchCriteria], as_of: int) -> list[tuple[str, int, list[int]]]:
        """Record ids with the position at which they are shown and what they meet, in order."""
        found: dict[str, tuple[int, set[int]]] = {}
        for one in self.items:
            met = {number for number, criteria in enumerate(asked) if meets(one, criteria)}
            if met and one.position <= as_of:
                last, before = found.get(one.record_id, (0, set()))
                found[one.record_id] = max(last, one.position), before | met
        shown = [(record_id, last, sorted(met)) for record_id, (last, met) in found.items()]
        return sorted(shown, key=lambda one: -one[1])


def meets(item: Item, criteria: history_pb2.SearchCriteria) -> bool:
    lists = (
        [one.value for one in criteria.party_identifiers],
        list(criteria.containers),
        list(criteria.seals),
    )
    day = BEGIN_S + item.day * DAY_S
    return (
        all(not wanted or not item.values.isdisjoint(wanted) for wanted in lists)
        and (not criteria.HasField("declared_from") or day >= criteria.declared_from.seconds)
        and (not criteria.HasField("declared_until") or day < criteria.declared_until.seconds)
        and (not criteria.procedures or item.procedure in criteria.procedures)
    )


def made(chance: random.Random, record_id: str, day: int) -> tuple[shipment_pb2.Shipment, frozenset[str]]:
    trader = TRADERS[min(int(chance.paretovariate(0.5)) - 1, len(TRADERS) - 1)]
    container, seal = chance.choice(CONTAINERS), chance.choice(SEALS)
    shipment = shipment_pb2.Shipment(
        record_id=record_id,
        procedure=chance.choice([EXPORT, IMPORT]),
        declared_at=Timestamp(seconds=BEGIN_S + day * DAY_S),
        references=[
            goods_pb2.ShipmentReference(kind=goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION, value=f"D-{record_id}")
        ],
        parties=[
            party_pb2.Party(
                role=party_pb2.PARTY_ROLE_EXPORTER, identifiers=[party_pb2.Identifier(scheme="trader_no", value=trader)]
            )
        ],
        goods=[shipment_pb2.ShipmentGoods(sequence=1, description="zinc ingots")],
        equipment=[goods_pb2.Equipment(id=container, seals=[seal])],
    )
    return shipment, frozenset({trader, container, seal})


def fill(node: PaperNode, chance: random.Random) -> Naive:
    """150 items in 19 cells: four records in five are new, one is amended or added to; days go on, with leaps."""
    naive = Naive()
    for position in range(1, 151):
        grows = naive.items and chance.random() < 0.2
        record_id = chance.choice(naive.items).record_id if grows else f"R{position}"
        before = naive.newest(record_id)
        if before is not None and chance.random() < 0.5:
            seal = chance.choice(SEALS)
            event = shipment_pb2.ShipmentEvent(
                kind=shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_APPLIED,
                occurred_at=Timestamp(seconds=BEGIN_S + before.day * DAY_S + position),
                seal=seal,
            )
            record(node, shipment_pb2.ShipmentAddition(record_id=record_id, events=[event]))
            item = Item(position, record_id, before.revision, before.day, before.procedure, frozenset({seal}))
        else:
            day = before.day if before is not None else position // 2 + chance.randrange(-10, 10)
            shipment, values = made(chance, record_id, day)
            shipment.package_count = position  # never the same again
            if before is not None:
                shipment.procedure = before.procedure
            record(node, shipment)
            revision = 1 if before is None else before.revision + 1
            item = Item(position, record_id, revision, day, int(shipment.procedure), values)
        naive.items.append(item)
    index(node)
    return naive


def question(chance: random.Random) -> history_pb2.SearchCriteria:
    criteria = history_pb2.SearchCriteria()
    for wanted in chance.sample(["traders", "containers", "seals"], chance.randint(1, 2)):
        match wanted:
            case "traders":
                some = chance.sample(TRADERS, chance.choice([1, 2, 5, 20]))
                criteria.party_identifiers.extend(history_pb2.SearchIdentifier(value=one) for one in some)
            case "containers":
                criteria.containers.extend(chance.sample(CONTAINERS, chance.randint(1, 2)))
            case _:
                criteria.seals.extend(chance.sample(SEALS, chance.randint(1, 2)))
    if chance.random() < 0.4:
        first = chance.randrange(-10, 80)
        criteria.declared_from.seconds = BEGIN_S + first * DAY_S
        if chance.random() < 0.7:
            criteria.declared_until.seconds = BEGIN_S + (first + chance.choice([1, 5, 30])) * DAY_S
    if chance.random() < 0.2:
        criteria.procedures.append(chance.choice([EXPORT, IMPORT]))
    return criteria


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[PaperNode]:
    monkeypatch.setattr(cells, "CELL_BITS", 3)
    monkeypatch.setattr(cells, "BLOCK_BITS", 1)
    monkeypatch.setattr(shipment_search, "MOST_KEYS_IN_TURN", 5)
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as nodes:
        yield nodes[0]


def asked(node: PaperNode, criteria: history_pb2.SearchCriteria) -> list[int]:
    since, until = (record_filter := filter_of(criteria)).declared_from, record_filter.declared_until
    with node.database.read() as conn:
        found = cells.within(conn, cells.state(conn), NEWEST, declared_from=since, declared_until=until)
    return [cell for cell, _ in found]


@pytest.mark.parametrize(
    ("databases", "seed"), [("sqlite", 1), ("sqlite", 2), ("postgresql", 1)], indirect=["databases"]
)
def test_a_search_finds_what_reading_everything_finds(node: PaperNode, seed: int) -> None:
    chance = random.Random(seed)
    naive = fill(node, chance)
    assert hits_of(node, naive, chance) > 1_000


def hits_of(node: PaperNode, naive: Naive, chance: random.Random) -> int:
    """How much searches find, all of which find what reading everything does."""
    hits = 0
    for _ in range(QUESTIONS):
        wanted = [question(chance) for _ in range(chance.choice([1, 1, 1, 2, 3]))]
        as_of = chance.choice([0, 0, chance.randint(1, 150)])
        limit = chance.choice([1, 3, 10, 1_000])
        found: list[tuple[str, list[int]]] = []
        before, going = 0, True
        while going:
            page = list(
                searching(node).chunks(wanted[0], alternatives=wanted[1:], before=before, as_of=as_of, limit=limit)
            )
            found += [(one.shipment.record_id, list(one.met)) for chunk in page for one in chunk.records]
            before = page[-1].more_before
            going = before > 0
        expected = naive.find(wanted, as_of or 150)
        assert found == [(record_id, met if len(wanted) > 1 else []) for record_id, _, met in expected]
        hits += len(found)
    return hits


def test_cells_of_other_times_are_not_asked(node: PaperNode) -> None:
    fill(node, random.Random(3))
    early = history_pb2.SearchCriteria(seals=["S1"], declared_until=Timestamp(seconds=BEGIN_S + 5 * DAY_S))
    late = history_pb2.SearchCriteria(seals=["S1"], declared_from=Timestamp(seconds=BEGIN_S + 60 * DAY_S))
    assert asked(node, history_pb2.SearchCriteria(seals=["S1"])) == list(range(18, -1, -1))
    assert 0 < len(asked(node, early)) < 10
    assert 0 < len(asked(node, late)) < 10
    assert set(asked(node, early)).isdisjoint(asked(node, late))


@pytest.mark.both_databases
def test_large_records_are_read_few_at_a_time(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_search, "CHUNK_BYTES", 12_000)
    monkeypatch.setattr(history_search, "FIRST_CHUNK", 10)
    for at in range(60):
        shipment, _ = made(random.Random(at), f"R{at}", 0)
        shipment.goods[0].description = "x" * 500
        shipment.equipment[0].id = CONTAINERS[0]
        record(node, shipment)
    index(node)
    criteria = history_pb2.SearchCriteria(containers=CONTAINERS[:1])
    sizes = [[one.ByteSize() for one in chunk.records] for chunk in searching(node).chunks(criteria)]
    assert len(sizes[0]) == 10
    assert sum(map(len, sizes)) == 60
    assert 10_000 < max(map(sum, sizes)) <= 12_000


def test_a_record_that_comes_late_widens_its_own_cell_alone(node: PaperNode) -> None:
    for position, day in enumerate([*range(1, 17), 2], 1):
        shipment, _ = made(random.Random(day), f"R{position}", day)
        record(node, shipment)
    index(node)
    bounds = {"declared_from": (BEGIN_S + 2 * DAY_S) * 1000, "declared_until": (BEGIN_S + 4 * DAY_S) * 1000}
    with node.database.read() as conn:
        state = cells.state(conn)
        assert cells.within(conn, state, NEWEST, **bounds) == [(2, range(16, 18)), (0, range(2, 4))]
        ever = cells.within(conn, state, 15, declared_from=0, declared_until=0)
        assert ever == [(1, range(8, 15)), (0, range(8))]
        assert cells.within(conn, state, 2, **bounds) == []


@pytest.mark.both_databases
def test_of_cells_within_a_time_no_blocks_are_read(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    for position in range(1, 48):
        shipment, _ = made(random.Random(position), f"R{position}", position)
        record(node, shipment)
    index(node)
    read: list[tuple[int, int]] = []
    blocks = cells._BLOCKS

    def noted(conn: Connection, **given: int) -> Any:
        read.append((given["first"], given["last"]))
        return blocks(conn, **given)

    monkeypatch.setattr(cells, "_BLOCKS", noted)
    bounds = {"declared_from": (BEGIN_S + 10 * DAY_S) * 1000, "declared_until": (BEGIN_S + 42 * DAY_S) * 1000}
    with node.database.read() as conn:
        state = cells.state(conn)
        found = cells.within(conn, state, NEWEST, **bounds)
        whole = [(cell, range(8 * cell, 8 * cell + 8)) for cell in (4, 3, 2)]
        assert found == [(5, range(40, 42)), *whole, (1, range(10, 16))]
        assert [last - first for first, last in read] == [3, 3]  # a cell has four blocks of two positions
        monkeypatch.setattr(cells, "MOST_RUNS", 1)
        assert cells.within(conn, state, NEWEST, **bounds) == found


def test_the_rarest_of_what_is_asked_for_leads(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every position of the first set is tried for the others: a large trader's would be thousands."""
    monkeypatch.setattr(shipment_search, "COMMON", 4)
    for at in range(7):
        shipment, _ = made(random.Random(at), f"R{at}", 0)
        shipment.equipment[0].id, shipment.equipment[0].seals[0] = CONTAINERS[0], SEALS[at == 3]
        shipment.parties[0].identifiers[0].value = TRADERS[at < 5]
        record(node, shipment)
    index(node)
    container = key_sets(history_pb2.SearchCriteria(containers=CONTAINERS[:1]))[0]
    common, rare = (key_sets(history_pb2.SearchCriteria(seals=[one]))[0] for one in SEALS[:2])
    trader = key_sets(history_pb2.SearchCriteria(party_identifiers=[history_pb2.SearchIdentifier(value="T1")]))[0]
    many = list(range(6))  # more than are looked up one by one
    with node.database.read() as conn:

        def ordered(*sets: list[int]) -> list[list[int]]:
            return [list(one) for one in shipment_search._rarest_first(conn, sets, 0, range(8))]

        assert ordered(container, rare) == [rare, container]
        assert ordered(container, common, rare, trader) == [rare, container, common, trader]  # 7, 6 and 5: all common
        assert ordered(many, container) == [many, container]
        assert ordered(many, rare) == [rare, many]
        assert [list(one) for one in shipment_search._rarest_first(conn, [container, trader], 0, range(1, 4))] == [
            container,
            trader,
        ]
        assert shipment_search._rarest_first(conn, [container, trader], 0, range(5, 8)) == [trader, container]
        found = list(shipment_search.search(conn, [container, rare], shipment_search.RecordFilter(), before=9, limit=9))
    assert found == [4]
