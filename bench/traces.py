"""Measures traces of consignments whose truth is known: precision and recall of links.

`python -m bench.traces` traces every consignment from its first record, over records of three authorities that tell
each other everything, and compares what it holds with what was made together. A link is a record of the trace beside
its first one. One half may be looked into while rules are changed (`--misses` lists its errors); of the other, made of
another seed, only totals are printed.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.consignments import HeldOut, held_out
from gateway.tracing.rules.assembly import assemble
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.inquiry import MAX_QUESTIONS, next_questions
from gateway.tracing.rules.links import plain, ucr
from gateway.tracing.rules.onward_transfer import OnwardTransfer
from gateway.tracing.rules.records import RecordHit, RecordName, name_of
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria
from gateway.v1.trace_pb2 import Trace, TraceLeg

CONSIGNMENTS = 300
OPEN_SEED, SEALED_SEED = 20_250_106, 20_260_817
NODES = ("cn", "hk", "mo")
MOST_OF_TRADERS = 50
"""Of a node with more records of the traders, none count, as in a real trace."""


class RecordSearch:
    """Searches records as a node does: any value of the question, within its time."""

    def __init__(self, records: Sequence[HistoryRecord]) -> None:
        self._by_value: dict[tuple[str, str], list[HistoryRecord]] = defaultdict(list)
        for record in records:
            for value in set(_values(record)):
                self._by_value[record.node, value].append(record)

    def find(self, node: str, question: SearchCriteria) -> list[HistoryRecord]:
        sought = [plain(reference.value) for reference in question.references]
        sought += [ucr(reference.value) for reference in question.references]
        sought += map(plain, (*question.containers, *question.seals, *question.record_ids))
        sought += [plain(identifier.value) for identifier in question.party_identifiers]
        found = {name_of(record): record for value in sought for record in self._by_value[node, value]}
        within = [record for record in found.values() if _is_within(record, question)]
        return [] if question.party_identifiers and len(within) > MOST_OF_TRADERS else within


def _values(record: HistoryRecord) -> Iterator[str]:
    shipment = record.shipment
    yield plain(shipment.record_id)
    for reference in shipment.references:
        yield plain(reference.value)
    for equipment in shipment.equipment:
        yield from map(plain, (equipment.id, *equipment.seals, equipment.e_lock))
    for party in shipment.parties:
        yield from (plain(identifier.value) for identifier in party.identifiers)


def _is_within(record: HistoryRecord, question: SearchCriteria) -> bool:
    declared = record.shipment.declared_at.seconds
    after = not question.HasField("declared_from") or declared >= question.declared_from.seconds
    return after and (not question.HasField("declared_until") or declared < question.declared_until.seconds)


def trace_from(first: HistoryRecord, search: RecordSearch) -> Trace:
    """The trace that begins with one record, round by round."""
    onward = OnwardTransfer(first.node, {node: frozenset(NODES) for node in NODES})
    question = SearchCriteria(record_ids=[first.shipment.record_id])
    gathering = Gathering([RecordHit(first)])
    asked = {node: [question] for node in NODES}
    for _ in range(MAX_QUESTIONS):
        questions = next_questions(gathering, asked, NODES, onward)
        if not questions:
            break
        for node, some in questions.items():
            gathering.add(RecordHit(record, by) for by in some for record in search.find(node, by))
            asked[node].extend(some)
    return assemble(gathering, [])


@dataclass(slots=True)
class Accuracy:
    """Links of all traces.

    Attributes:
        kinds: of the first wrong link of each trace.
    """

    right: int = 0
    wrong: int = 0
    missed: int = 0
    traces: int = 0
    whole: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)


def measure(made: HeldOut) -> Accuracy:
    """Traces each consignment with several records from its first one."""
    search = RecordSearch(made.records)
    members: dict[int, list[HistoryRecord]] = defaultdict(list)
    for record in made.records:
        members[made.truth[name_of(record)]].append(record)
    accuracy = Accuracy()
    for number, records in members.items():
        if len(records) > 1:
            _take(accuracy, trace_from(records[0], search), number, {name_of(record) for record in records}, made)
    return accuracy


def _take(accuracy: Accuracy, trace: Trace, number: int, true: set[RecordName], made: HeldOut) -> None:
    names = [name_of(leg.record) for leg in trace.legs]
    wrong = [name for name in names if made.truth[name] != number]
    missed = true - set(names)
    accuracy.traces += 1
    accuracy.right += len(names) - len(wrong) - 1
    accuracy.wrong += len(wrong)
    accuracy.missed += len(missed)
    accuracy.whole += not wrong and not missed
    first = next((kind for leg in trace.legs for kind in _wrong_kinds(trace, leg, number, made)), None)
    if first is not None:
        accuracy.kinds[first] += 1
    if wrong or missed:
        accuracy.misses.append(f"{min(true)}: wrong {wrong} ({first}), missed {sorted(missed)}")


def _wrong_kinds(trace: Trace, leg: TraceLeg, number: int, made: HeldOut) -> Iterator[str]:
    """Kinds of links that join a record of this consignment and one of another."""
    inside = made.truth[name_of(leg.record)] == number
    for link in leg.links:
        other = made.truth[name_of(trace.legs[link.leg].record)] == number
        if inside is not other:
            yield link.kind


def main() -> None:
    """Prints both halves."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--consignments", type=int, default=CONSIGNMENTS)
    options.add_argument("--misses", action="store_true", help="list errors of the half that may be looked into")
    chosen = options.parse_args()
    for half, seed in (("to look at", OPEN_SEED), ("sealed", SEALED_SEED)):
        accuracy = measure(held_out(seed, chosen.consignments))
        print(
            f"{half}: {accuracy.traces} traces, precision {accuracy.precision:.3f}, recall {accuracy.recall:.3f}, "
            f"{accuracy.whole / accuracy.traces:.3f} without an error; links right {accuracy.right}, "
            f"wrong {accuracy.wrong}, missed {accuracy.missed}"
        )
        if half == "to look at":
            print("  first wrong links:", dict(accuracy.kinds.most_common()))
            if chosen.misses:
                print("\n".join(accuracy.misses))


if __name__ == "__main__":
    main()
