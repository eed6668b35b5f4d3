"""A trace over nodes in memory: what each is asked, by the rules alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gateway.history.service.following import FoundRecords, follow_links
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.inquiry import (
    MAX_QUESTIONS,
    LinkQuestions,
    is_of_one_consignment,
    next_questions,
    onward_refusals,
    opening_questions,
)
from gateway.tracing.rules.links import plain
from gateway.tracing.rules.onward_transfer import OnwardTransfer
from gateway.tracing.rules.records import RecordHit
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria
from gateway.v1.history_service_pb2 import SearchShipmentsResponse
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
    """Nodes with their records; `run` asks them as a trace does.

    Attributes:
        earlier: nodes that don't know `follow`.
        rounds: in which partners were asked.
    """

    records: Mapping[str, Sequence[HistoryRecord]]
    onward: OnwardTransfer
    earlier: Collection[str] = ()
    asked: dict[str, list[SearchCriteria]] = field(default_factory=dict)
    refusals: list[OnwardRefusal] = field(default_factory=list)
    rounds: int = 0

    def run(self, first: SearchCriteria) -> Gathering:
        gathering, own, nodes = Gathering(), self.onward.own, list(self.records)
        self.asked = {node: [] for node in nodes}
        questions = {node: [first] for node in nodes}
        if is_of_one_consignment(first) and own in nodes:
            self._ask(own, [first], gathering)
            questions = opening_questions(gathering, first, self.asked, nodes, self.onward)
        for _ in range(MAX_QUESTIONS):
            self.rounds += bool(questions.keys() - {own})
            for node, some in questions.items():
                self._ask(node, some, gathering)
            questions = next_questions(gathering, self.asked, nodes, self.onward)
        self.refusals = onward_refusals(gathering, self.asked, nodes, self.onward)
        return gathering

    def _ask(self, node: str, questions: Sequence[SearchCriteria], gathering: Gathering) -> None:
        is_first, found = not self.asked[node], self._find(node, questions)
        criteria, records = list(questions), list(found.messages[0].records.records)
        if node not in self.earlier and is_of_one_consignment(questions[0]) and records:
            further = partial(self._find, node)
            followed = follow_links(records, questions, LinkQuestions(), further, may=lambda _: True, limit=1_000)
            criteria += followed.criteria
            records += [record for message in followed.messages for record in message.records.records]
        self.asked[node].extend(criteria)
        for record in records:
            hits = [None if is_first and not number else criteria[number] for number in record.met]
            gathering.add(RecordHit(record, by) for by in hits)

    def _find(self, node: str, questions: Sequence[SearchCriteria]) -> FoundRecords:
        """Each record once, with the numbers of the questions that it meets."""
        message = SearchShipmentsResponse()
        for record in self.records[node]:
            met = [number for number, question in enumerate(questions) if answer(question, [record])]
            if met:
                message.records.records.add().CopyFrom(record)
                message.records.records[-1].met[:] = met
        return FoundRecords([message], 0, complete=True)

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
