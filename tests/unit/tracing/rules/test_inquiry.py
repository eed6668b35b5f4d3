"""What is asked next: everything that joins strongly, breadth first, bounded."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.contract.validation import violations
from gateway.tracing.rules.inquiry import MAX_QUESTIONS
from gateway.tracing.rules.links import plain
from gateway.tracing.rules.records import RecordHit
from gateway.v1 import goods_pb2, history_pb2, shipment_pb2
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria
from tests.support import consignments as case
from tests.support.gathered import assemble, next_criteria
from tests.support.traced_federation import answer

BY_UCR = SearchCriteria(references=[history_pb2.SearchReference(value="6CN91440300MA5EXMPLXX-0117")])


def traced(first: SearchCriteria, records: Sequence[HistoryRecord]) -> tuple[list[RecordHit], list[SearchCriteria]]:
    """All records that the questions find, and the questions."""
    asked = [first]
    found = [RecordHit(each) for each in answer(first, records)]
    while questions := next_criteria(found, asked):
        for question in questions:
            assert violations(question) == []
            asked.append(question)
            found += [RecordHit(each, question) for each in answer(question, records)]
    return found, asked


def test_the_whole_way_is_found_from_any_reference_of_it() -> None:
    records = case.the_case()
    firsts = [
        BY_UCR,
        SearchCriteria(containers=["GWDU2601174"]),
        SearchCriteria(seals=["HK7700926"]),
        SearchCriteria(record_ids=["MO-IMP-26-03381"], references=[history_pb2.SearchReference(value="HZMB88231")]),
    ]
    for first in firsts:
        found, asked = traced(first, records)
        trace = assemble(found, [], asked)
        assert len(trace.legs) == 4, first
        assert not trace.truncated
        assert len(asked) <= MAX_QUESTIONS


def test_what_was_asked_is_not_asked_again() -> None:
    _, asked = traced(BY_UCR, case.the_case())
    values = [plain(each.value) for question in asked for each in question.references]
    assert len(values) == len(set(values))
    containers = [plain(value) for question in asked for value in question.containers]
    assert containers == [case.CONTAINER]


def test_a_question_of_the_caller_with_a_condition_is_asked_again_without_it() -> None:
    first = SearchCriteria(containers=[case.CONTAINER], places=["CN"])
    questions = next_criteria([RecordHit(case.the_case()[0])], [first])
    assert [list(question.containers) for question in questions] == [[], [case.CONTAINER], [], []]


def test_containers_and_locks_are_asked_for_within_their_time() -> None:
    questions = next_criteria([RecordHit(case.the_case()[0])], [BY_UCR])
    references, containers, seals, locks = questions
    assert {reference.value for reference in references.references} == {"531620260000260117", "RMC-2601-17001"}
    assert list(locks.seals) == ["EL-771203"]
    day = 86_400
    declared = case.at(0.33).seconds
    assert not references.HasField("declared_from")
    assert -74 * day < containers.declared_from.seconds - declared < -73 * day + day
    assert 73 * day <= containers.declared_until.seconds - declared < 74 * day
    assert locks.declared_until.seconds - declared < 36 * day < seals.declared_until.seconds - declared


def test_a_container_is_asked_for_again_where_a_leg_shows_it_at_another_time() -> None:
    """Each leg is within 45 days of the one before, the last 120 days after the first."""
    export, import_ = shipment_pb2.SHIPMENT_PROCEDURE_EXPORT, shipment_pb2.SHIPMENT_PROCEDURE_IMPORT
    transit, moved = shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT, shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT
    ways = [("cn", export), ("hk", transit), ("hk", moved), ("mo", import_)]
    legs = [
        case.record(node, f"{node}-{number}", way, 40 * 24 * number, equipment=[goods_pb2.Equipment(id=case.CONTAINER)])
        for number, (node, way) in enumerate(ways)
    ]
    legs[0].shipment.references.append(case.reference(case.UCR, "6CN9144030071526726XG-1"))
    found, asked = traced(
        SearchCriteria(references=[history_pb2.SearchReference(value="6CN9144030071526726XG-1")]), legs
    )
    assert len(assemble(found, []).legs) == 4
    assert len([question for question in asked if question.containers]) == len(legs)


def test_traders_are_asked_for_only_where_the_way_has_a_gap() -> None:
    _, whole = traced(BY_UCR, case.the_case())
    assert not any(question.party_identifiers for question in whole)
    export, arrival, onward, _ = case.the_case()
    _, open_end = traced(BY_UCR, [export, arrival, onward])  # re-exported to mo, which has no record
    assert [bool(question.party_identifiers) for question in open_end].count(True) == 1
    _, open_start = traced(BY_UCR, [arrival])  # imported from cn, which has no record
    assert open_start[-1].party_identifiers


def test_traders_are_asked_for_once_and_last_and_widen_nothing() -> None:
    other = case.record(
        "mo",
        "mo-other",
        shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
        10,
        parties=[case.HK_CONSIGNEE],
        equipment=[goods_pb2.Equipment(id="TGHU7654321")],
    )
    found, asked = traced(BY_UCR, [*case.the_case()[:3], other])
    assert [bool(question.party_identifiers) for question in asked].count(True) == 1
    assert asked[-1].party_identifiers
    assert any(each.record == other for each in found)  # found, and by it nothing is asked
    assert not any("TGHU7654321" in question.containers for question in asked)
    assert len(assemble(found, [], asked).legs) == 3


def test_nothing_found_asks_nothing() -> None:
    assert next_criteria([], [BY_UCR]) == []


def test_questions_are_bounded_and_a_trace_that_is_cut_says_so() -> None:
    """A chain of documents that never ends."""
    records = [
        case.record(
            "cn",
            f"record-{number:04d}",
            shipment_pb2.SHIPMENT_PROCEDURE_MANIFEST,
            number,
            references=[
                case.reference(case.TRANSPORT_DOCUMENT, f"DOC-{number:04d}"),
                case.reference(case.TRANSPORT_DOCUMENT, f"DOC-{number + 1:04d}"),
            ],
        )
        for number in range(100)
    ]
    found, asked = traced(SearchCriteria(references=[history_pb2.SearchReference(value="DOC-0000")]), records)
    trace = assemble(found, [], asked)
    assert len(asked) == MAX_QUESTIONS
    assert 10 < len(trace.legs) < 100
    assert trace.truncated
