"""What is recorded again is counted as unchanged, indexed or not, whoever recorded it and whatever was rolled back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.contract.messages import RecordedItem
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.commands import comparison
from gateway.history.commands.comparison import PendingItems, RecordAndCompareCommand, RecordedCounts
from gateway.history.commands.record import RecordCommand, check, records_feed
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import shipment_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes
from tests.support.recording import KEPT_MS, index, record
from tests.support.shipments import items, shipment


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn",)) as made:
        yield made[0]


def recording(node: PaperNode, recorded: Sequence[RecordedItem], pending: PendingItems) -> RecordAndCompareCommand:
    good, _ = check(items(*recorded), retention_classes=KEPT_MS.__contains__)
    return RecordAndCompareCommand(RecordCommand(records_feed(FEDERATION, node.name), good, "clearance"), pending)


def counted(node: PaperNode, *recorded: RecordedItem, pending: PendingItems) -> tuple[int, int, int]:
    """Added, changed, unchanged."""
    counts: RecordedCounts = node.writer.run(recording(node, recorded, pending))
    return counts[1:]


def version(record_id: str, number: int) -> shipment_pb2.Shipment:
    return shipment(record_id, gross_mass_kg=float(1000 + number))


def sealed(record_id: str, number: int) -> shipment_pb2.ShipmentAddition:
    event = shipment_pb2.ShipmentEvent(kind=shipment_pb2.SHIPMENT_EVENT_KIND_SEAL_APPLIED, seal=f"S{number}")
    event.occurred_at.FromSeconds(1_770_000_000)
    return shipment_pb2.ShipmentAddition(record_id=record_id, events=[event])


@pytest.mark.parametrize("indexed", [True, False])
def test_a_file_recorded_again_has_nothing_new(node: PaperNode, *, indexed: bool) -> None:
    pending = PendingItems()
    file = [version("A", 1), version("B", 1), sealed("A", 1)]
    assert counted(node, *file, pending=pending) == (3, 0, 0)
    if indexed:
        index(node)
    assert counted(node, *file, pending=pending) == (0, 0, 3)
    if indexed:
        index(node)
    assert counted(node, version("A", 2), version("B", 1), sealed("A", 2), pending=pending) == (1, 1, 1)
    assert counted(node, version("A", 1), version("A", 2), version("A", 2), pending=pending) == (0, 2, 1)


@pytest.mark.both_databases
def test_what_another_replica_recorded_counts_and_so_does_what_an_earlier_process_did(node: PaperNode) -> None:
    record(node, version("A", 1))
    pending = PendingItems()
    assert counted(node, version("A", 1), pending=pending) == (0, 0, 1)
    record(node, version("A", 2))  # by another
    assert counted(node, version("A", 2), pending=pending) == (0, 0, 1)


class _Failing:
    """Records, looks at the log as the next command would, and fails."""

    weight = 1

    def __init__(self, command: RecordAndCompareCommand) -> None:
        self._command = command

    def execute(self, tx: Transaction) -> None:
        self._command.execute(tx)
        assert self._command.pending.catch_up(tx.conn, 0)
        raise RuntimeError("rolled back")


@pytest.mark.both_databases
def test_what_was_rolled_back_is_forgotten(node: PaperNode) -> None:
    pending = PendingItems()
    counted(node, version("A", 1), pending=pending)
    with pytest.raises(RuntimeError, match="rolled back"):
        node.writer.run(_Failing(recording(node, [version("B", 1), version("A", 2)], pending)))
    assert counted(node, version("C", 1), version("A", 1), pending=pending) == (1, 0, 1)
    assert counted(node, version("B", 1), pending=pending) == (1, 0, 0)


def test_too_much_behind_the_index_is_not_compared_and_not_called_new(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "MAX_PENDING", 2)
    pending = PendingItems()
    assert counted(node, version("A", 1), version("B", 1), version("C", 1), pending=pending) == (3, 0, 0)
    assert counted(node, version("A", 1), pending=pending) == (0, 0, 0)
    index(node)
    assert counted(node, version("A", 1), version("D", 1), pending=pending) == (1, 0, 1)


def test_a_record_with_very_many_additions_is_not_compared(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MAX_ADDITIONS", 1)
    pending = PendingItems()
    counted(node, version("A", 1), sealed("A", 1), sealed("A", 2), pending=pending)
    index(node)
    assert counted(node, sealed("A", 1), version("A", 1), pending=pending) == (0, 0, 1)


_RUNS = count()

steps = st.lists(
    st.one_of(
        st.just("index"),
        st.just("forget"),
        st.lists(st.tuples(st.sampled_from("AB"), st.booleans(), st.integers(1, 2)), min_size=1, max_size=4),
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_counts_are_those_of_a_naive_reader(node: PaperNode, steps: list[object]) -> None:
    pending = PendingItems()
    prefix = f"R{next(_RUNS)}-"
    newest: dict[str, int] = {}
    additions: dict[str, set[int]] = {}
    for step in steps:
        if step == "index":
            index(node)
        elif step == "forget":
            pending = PendingItems()
        else:
            assert isinstance(step, list)
            expected = [0, 0, 0]
            made: list[RecordedItem] = []
            for name, is_addition, number in step:
                record_id = prefix + name
                made.append(sealed(record_id, number) if is_addition else version(record_id, number))
                if is_addition:
                    expected[2 if number in additions.setdefault(name, set()) else 0] += 1
                    additions[name].add(number)
                else:
                    known = newest.get(name)
                    expected[0 if known is None else 2 if known == number else 1] += 1
                    newest[name] = number
            assert counted(node, *made, pending=pending) == tuple(expected)
