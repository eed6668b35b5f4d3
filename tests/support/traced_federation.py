"""A trace over nodes in memory: what each is asked, by the rules alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.inquiry import MAX_QUESTIONS, next_questions, onward_refusals
from gateway.tracing.rules.links import plain
from gateway.tracing.rules.onward_transfer import OnwardTransfer
from gateway.tracing.rules.records import RecordHit
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria
from gateway.v1.trace_pb2 import OnwardRefusal


def answer(question: SearchCriteria, records: Sequence[HistoryRecord]) -> list[HistoryRecord]:
    """What the question finds, by a plain reading of the contract: references, containers, seals, parties, times."""
    met = []
    for record in records:
        shipment = record.shipment
        named = {
            "references": [*(reference.value for reference in shipment.references), shipment.record_id],
            "containers": [equipment.id for equipment in shipment.equipment],
            "seals": [seal for unit in shipment.equipment for seal in (*unit.seals, unit.e_lock)],
            "party_identifiers": [one.value for party in shipment.parties for one in party.identifiers],
        }
        asked = {
            "references": [reference.value for reference in question.references],
            "containers": list(question.containers),
            "seals": list(question.seals),
            "party_identifiers": [one.value for one in question.party_identifiers],
        }
        hit = all(
            {plain(value).upper() for value in values} & {plain(value).upper() for value in named[criterion]}
            for criterion, values in asked.items()
            if values
        )
        at = shipment.declared_at.seconds
        early = question.HasField("declared_from") and at < question.declared_from.seconds
        late = question.HasField("declared_until") and at >= question.declared_until.seconds
        if hit and not early and not late:
            met.append(record)
    return met


@dataclass
class TracedFederation:
    """Nodes with their records; `run` asks them as a trace does."""

    records: Mapping[str, Sequence[HistoryRecord]]
    onward: OnwardTransfer
    asked: dict[str, list[SearchCriteria]] = field(default_factory=dict)
    refusals: list[OnwardRefusal] = field(default_factory=list)

    def run(self, first: SearchCriteria) -> Gathering:
        gathering = Gathering()
        self.asked = {node: [] for node in self.records}
        questions = {node: [first] for node in self.records}
        for number in range(MAX_QUESTIONS):
            for node, some in questions.items():
                self.asked[node].extend(some)
                for question in some:
                    by = question if number else None
                    gathering.add(RecordHit(record, by) for record in answer(question, self.records[node]))
            questions = next_questions(gathering, self.asked, list(self.records), self.onward)
        self.refusals = onward_refusals(gathering, self.asked, list(self.records), self.onward)
        return gathering

    def values(self, node: str) -> set[str]:
        """All values that the node was asked for."""
        return {
            plain(value)
            for question in self.asked[node]
            for value in (
                *(reference.value for reference in question.references),
                *question.containers,
                *question.seals,
                *(identifier.value for identifier in question.party_identifiers),
            )
        }
