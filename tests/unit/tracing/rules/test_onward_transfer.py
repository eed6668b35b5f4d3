"""What a partner is asked in a trace never holds what another alone has answered, and doesn't depend on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.tracing.rules.assembly import assemble
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.inquiry import MAX_QUESTIONS, next_questions
from gateway.tracing.rules.links import plain
from gateway.tracing.rules.onward_transfer import OnwardTransfer
from gateway.tracing.rules.records import RecordHit
from gateway.v1 import goods_pb2, shipment_pb2
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria, SearchReference
from tests.support import consignments as case
from tests.support.traced_federation import TracedFederation

CONTAINER = "GWDU2601174"
BY_CONTAINER = SearchCriteria(containers=[CONTAINER])
UCR, SEAL, USCC = "6CN9144030071526726XG-1", "SEAL-CN-4711", "91440300MA5EXMPLXX"
NOBODY = OnwardTransfer("hk")
RELEASED = OnwardTransfer("hk", {"cn": frozenset({"mo"})})

EXPORT = shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
IMPORT = shipment_pb2.SHIPMENT_PROCEDURE_IMPORT


def of_cn(**fields: object) -> HistoryRecord:
    """cn's export of the container, with a UCR, a seal and a trader that only cn knows."""
    return case.record(
        "cn",
        "CN-EXP-2026-1",
        EXPORT,
        0,
        references=[case.reference(case.UCR, UCR)],
        parties=[case.EXPORTER],
        equipment=[goods_pb2.Equipment(id=CONTAINER, seals=[SEAL])],
        destination_territory="MO",
        **fields,
    )


def of_mo(number: int = 1, hours: float = 20, *, container: str = CONTAINER, **references: str) -> HistoryRecord:
    """A record with which mo tries to steer a trace."""
    kinds = {"ucr": case.UCR, "document": case.TRANSPORT_DOCUMENT, "previous": case.PREVIOUS_DOCUMENT}
    return case.record(
        "mo",
        f"MO-IMP-2026-{number}",
        IMPORT,
        hours,
        references=[case.reference(kinds[kind], value) for kind, value in references.items()],
        equipment=[goods_pb2.Equipment(id=container)],
    )


def traced(onward: OnwardTransfer, *records: HistoryRecord, first: SearchCriteria = BY_CONTAINER) -> TracedFederation:
    by_node = {node: [record for record in records if record.node == node] for node in ("hk", "cn", "mo")}
    federation = TracedFederation(by_node, onward)
    federation.run(first)
    return federation


def plained(*values: str) -> set[str]:
    return {plain(value) for value in values}


def test_a_record_that_names_the_container_gets_nothing_of_another_nodes_record() -> None:
    federation = traced(NOBODY, of_cn(), of_mo())
    assert federation.values("mo") == plained(CONTAINER, "MO-IMP-2026-1")
    assert plained(UCR, SEAL) <= federation.values("hk")  # our node may learn everything
    assert "MOIMP20261" not in federation.values("cn")  # nor does cn get what mo alone has answered
    told = {(one.source, one.recipient): (one.links, list(one.kinds)) for one in federation.refusals}
    assert told["cn", "mo"] == (4, ["declaration", "party", "seal", "ucr"])
    assert told["mo", "cn"] == (1, ["declaration"])


def test_what_may_be_passed_on_is_asked_for() -> None:
    federation = traced(RELEASED, of_cn(), of_mo())
    assert plained(UCR, SEAL, USCC) <= federation.values("mo")
    assert [(one.source, one.recipient) for one in federation.refusals] == [("mo", "cn")]


def test_a_node_that_gave_nothing_is_asked_for_nothing_of_another() -> None:
    federation = traced(NOBODY, of_cn())
    assert federation.values("mo") == {CONTAINER}
    assert [(one.source, one.recipient) for one in federation.refusals] == [("cn", "mo")]


def test_each_value_counts_by_itself() -> None:
    """That mo knows the seal too makes neither UCR nor trader known to it."""
    own = of_mo()
    own.shipment.equipment[0].seals.append(SEAL)
    federation = traced(NOBODY, of_cn(), own)
    assert plain(SEAL) in federation.values("mo")
    assert not plained(UCR, USCC) & federation.values("mo")


def test_what_the_own_node_says_too_is_asked_for() -> None:
    """By cn's UCR alone hk finds its own record; that is hk's to ask for, cn's seal isn't."""
    own = case.record(
        "hk",
        "HK-IMP-2026-1",
        IMPORT,
        10,
        references=[case.reference(case.UCR, UCR)],
        equipment=[goods_pb2.Equipment(id="TGHU7654321")],
    )
    federation = traced(NOBODY, of_cn(), own)
    assert plained(UCR, "TGHU7654321", "HK-IMP-2026-1") <= federation.values("mo")
    assert not plained(SEAL, USCC) & federation.values("mo")


def test_what_the_caller_gave_is_asked_for_without_the_times_of_others() -> None:
    first = SearchCriteria(containers=[CONTAINER], references=[SearchReference(value=UCR)])
    federation = traced(NOBODY, of_cn(), of_mo(), first=first)
    further = federation.asked["mo"][1:]
    assert [list(question.containers) for question in further if question.containers] == [[CONTAINER]]
    assert [reference.value for question in further for reference in question.references] == [UCR]
    assert not any(question.HasField("declared_from") for question in further)
    assert plain(SEAL) not in federation.values("mo")


def test_times_of_a_question_are_of_records_that_the_node_may_learn_of() -> None:
    """Both name another container; only mo's record of it limits the question to mo."""
    other = "TGHU7654321"
    cn, mo = of_cn(), of_mo(hours=30)
    cn.shipment.equipment.add(id=other)
    mo.shipment.equipment.add(id=other)
    alone = traced(NOBODY, mo).asked["mo"]
    assert traced(NOBODY, cn, mo).asked["mo"] == alone
    assert any(other in question.containers for question in alone)


def test_a_guess_shows_nothing() -> None:
    """mo puts a guess and decoys into records of other times, and is asked for the same decoys whatever the guess."""

    def asked_with(guess: str) -> TracedFederation:
        decoys = [of_mo(number, -24 * 60 * number, ucr=guess, document=f"DECOY-{number}") for number in (1, 2, 3)]
        return traced(NOBODY, of_cn(), *decoys)

    right, wrong = asked_with(UCR), asked_with("6CN9144030071526726XG-2")
    assert "DECOY3" in right.values("hk")  # linked by the guess
    assert "DECOY3" not in wrong.values("hk")
    assert {value for value in right.values("mo") if "DECOY" in value} == {
        value for value in wrong.values("mo") if "DECOY" in value
    }


def test_a_guess_at_an_own_record_shows_nothing_of_another() -> None:
    """mo names hk's record beside a guess at cn's UCR: hk's values are asked for whatever the guess."""
    own = case.record("hk", "HK-OTHER-2026-7", IMPORT, 24 * 90, references=[case.reference(case.UCR, "OWN-UCR-7")])
    decoys = [of_mo(9, 24 * 200)]
    asked = []
    for guess in (UCR, "6CN9144030071526726XG-2"):
        steered = of_mo(1, 24 * 91, ucr=guess, previous="HK-OTHER-2026-7")
        asked.append(traced(NOBODY, of_cn(), own, steered, *decoys).asked["mo"])
    assert asked[0] == asked[1]


def test_a_node_at_its_limit_ends_no_other_nodes_questions() -> None:
    """mo has a chain of documents; hk's export still has a gap, for which traders are asked for."""
    own = case.record(
        "hk", "HK-EXP-2026-1", EXPORT, 0, parties=[case.EXPORTER], equipment=[goods_pb2.Equipment(id=CONTAINER)]
    )
    gathering = Gathering([RecordHit(own), RecordHit(of_mo(document="DOC-0001"))])
    full = [BY_CONTAINER, *(SearchCriteria(seals=[f"SEAL-{number}"]) for number in range(MAX_QUESTIONS - 1))]
    whole = [BY_CONTAINER, SearchCriteria(references=[SearchReference(value="HK-EXP-2026-1")])]
    known = [*whole, SearchCriteria(references=[SearchReference(value=v) for v in ("DOC-0001", "MO-IMP-2026-1")])]
    questions = next_questions(gathering, {"hk": known, "mo": full}, ["hk", "mo"], NOBODY)
    assert [bool(question.party_identifiers) for question in questions["hk"]] == [True]
    assert "mo" not in questions


@pytest.mark.parametrize("records", [case.the_case, case.the_twin], ids=["case", "twin"])
@pytest.mark.parametrize("own", ["hk", "cn", "mo"])
def test_the_case_is_found_whole_from_each_node_and_by_any_reference_without_a_release(
    own: str, records: Callable[[], list[HistoryRecord]]
) -> None:
    by_node = {node: [record for record in records() if record.node == node] for node in ("hk", "cn", "mo")}
    references = ["6CN91440300MA5EXMPLXX-0117", "RMC-2601-17001", "531620260000260117", "HKI-2026-004711", "HZMB-88231"]
    firsts = [SearchCriteria(containers=[case.CONTAINER]), SearchCriteria(seals=["HK7700926"])]
    firsts += [SearchCriteria(references=[SearchReference(value=value)]) for value in references]
    for first in firsts:
        gathering = TracedFederation(by_node, OnwardTransfer(own)).run(first)
        assert len(assemble(gathering, []).legs) == 4, first


KINDS = (case.UCR, case.TRANSPORT_DOCUMENT, case.PREVIOUS_DOCUMENT)
VALUES = ("UCR-A-2026", "UCR-B-2026", "UCR-C-2026", "UCR-D-2026")
SEALS = ("SEAL-A", "SEAL-B", "SEAL-C")
BOXES = (CONTAINER, "TGHU7654321", "CSQU3054383")


@st.composite
def records_of(draw: st.DrawFn, node: str) -> list[HistoryRecord]:
    made = []
    for number in range(draw(st.integers(0, 4))):
        record = case.record(
            node,
            f"{node.upper()}-RECORD-{number}",
            draw(st.sampled_from([EXPORT, IMPORT])),
            draw(st.integers(0, 200)) * 24,
            references=[
                case.reference(
                    draw(st.sampled_from([case.UCR, case.TRANSPORT_DOCUMENT, case.PREVIOUS_DOCUMENT])), value
                )
                for value in draw(st.lists(st.sampled_from(VALUES), max_size=2, unique=True))
            ],
            equipment=[
                goods_pb2.Equipment(id=box, seals=draw(st.lists(st.sampled_from(SEALS), max_size=1)))
                for box in draw(st.lists(st.sampled_from(BOXES), max_size=2, unique=True))
            ],
            parties=draw(st.lists(st.sampled_from([case.EXPORTER, case.HK_CONSIGNEE]), max_size=1)),
            destination_territory=draw(st.sampled_from(["", "HK", "MO", "CN"])),
        )
        made.append(record)
    return made


def said(records: Sequence[HistoryRecord]) -> set[str]:
    """Every value of these records that a question may hold."""
    values: set[str] = set()
    for record in records:
        shipment = record.shipment
        values.update(reference.value for reference in shipment.references)
        values.add(shipment.record_id)
        values.update(seal for unit in shipment.equipment for seal in (unit.id, *unit.seals))
        values.update(one.value for party in shipment.parties for one in party.identifiers)
    return plained(*values)


FIRSTS = st.sampled_from(
    [BY_CONTAINER, *(SearchCriteria(references=[SearchReference(value=one)]) for one in VALUES[:2])]
)
"""A container is asked of all; references are asked of our node first, and followed at each."""


@settings(max_examples=60, deadline=None)
@given(records_of("hk"), records_of("cn"), records_of("mo"), FIRSTS)
def test_every_value_asked_for_has_a_source_that_allows_it(
    hk: list[HistoryRecord], cn: list[HistoryRecord], mo: list[HistoryRecord], first: SearchCriteria
) -> None:
    given = {CONTAINER} | {plain(reference.value) for reference in first.references}
    federation = traced(NOBODY, *hk, *cn, *mo, first=first)
    assert federation.values("mo") <= said(hk) | said(mo) | given
    assert federation.values("cn") <= said(hk) | said(cn) | given
    released = traced(RELEASED, *hk, *cn, *mo, first=first)
    assert released.values("cn") <= said(hk) | said(cn) | given


@settings(max_examples=60, deadline=None)
@given(records_of("cn"), records_of("cn"), records_of("mo"), FIRSTS)
def test_without_own_records_a_node_is_asked_the_same_whatever_another_answers(
    cn: list[HistoryRecord], otherwise: list[HistoryRecord], mo: list[HistoryRecord], first: SearchCriteria
) -> None:
    asked = traced(NOBODY, *cn, *mo, first=first).asked["mo"]
    assert asked == traced(NOBODY, *otherwise, *mo, first=first).asked["mo"]


@settings(max_examples=60, deadline=None)
@given(records_of("hk"), records_of("cn"), records_of("mo"), FIRSTS)
def test_nodes_of_earlier_versions_give_no_leg_that_others_miss(
    hk: list[HistoryRecord], cn: list[HistoryRecord], mo: list[HistoryRecord], first: SearchCriteria
) -> None:
    """What a partner doesn't follow is asked for in further rounds.

    A node that follows may find more: its records that answered a question count as starts there, whatever it is that
    the asker's records share with them.
    """
    by_node = {"hk": hk, "cn": cn, "mo": mo}

    def legs(*earlier: str) -> set[tuple[str, str]]:
        found = assemble(TracedFederation(by_node, NOBODY, earlier).run(first), [])
        return {(leg.record.node, leg.record.shipment.record_id) for leg in found.legs}

    assert legs() >= legs("cn") >= legs("cn", "mo")


@pytest.mark.parametrize("own", ["hk", "cn", "mo"])
def test_a_trace_from_a_reference_takes_fewer_rounds_where_nodes_follow_their_links(own: str) -> None:
    by_node = {node: [one for one in case.the_case() if one.node == node] for node in ("hk", "cn", "mo")}
    rounds = {True: 0, False: 0}
    references = ["6CN91440300MA5EXMPLXX-0117", "RMC-2601-17001", "531620260000260117", "HKI-2026-004711", "HZMB-88231"]
    for value in references:
        for follow in rounds:
            federation = TracedFederation(by_node, OnwardTransfer(own), () if follow else tuple(by_node))
            assert (
                len(assemble(federation.run(SearchCriteria(references=[SearchReference(value=value)])), []).legs) == 4
            )
            rounds[follow] += federation.rounds
    assert rounds[True] < rounds[False]


def test_an_own_record_is_a_source_only_for_those_whom_its_release_list_names() -> None:
    own = case.record(
        "hk",
        "HK-TRANSIT-1",
        EXPORT,
        10,
        references=[case.reference(case.UCR, UCR)],
        equipment=[goods_pb2.Equipment(id=CONTAINER, seals=[SEAL])],
    )
    own.shipment.releasable_to.nodes.append("cn")
    trace = traced(NOBODY, own, of_mo())
    assert not plained(UCR, SEAL) & trace.values("mo")
    assert plained(UCR, SEAL) <= trace.values("cn")
    assert ("hk", "mo") in {(one.source, one.recipient) for one in trace.refusals}
    own.shipment.ClearField("releasable_to")
    assert plained(UCR, SEAL) <= traced(NOBODY, own, of_mo()).values("mo")
