"""Which records make a consignment, why, and in which order."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract.limits import MAX_MESSAGE_BYTES
from gateway.contract.validation import violations
from gateway.tracing.rules.assembly import MAX_EVENTS, MAX_LEGS
from gateway.tracing.rules.draft import MAX_DRAFT_BYTES
from gateway.tracing.rules.links import MAX_KEYS, RULES, LinkKind, link_keys
from gateway.tracing.rules.records import MAX_RECORDS, RecordHit
from gateway.tracing.service.draft_alerts import CONTROLLED_BYTES, DISCREPANCY_BYTES
from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria
from gateway.v1.trace_pb2 import Trace
from tests.support import consignments as case
from tests.support.gathered import assemble

EXPORT = shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
IMPORT = shipment_pb2.SHIPMENT_PROCEDURE_IMPORT
DAY = 24.0


def legs(trace: Trace) -> list[str]:
    return [f"{leg.record.node}/{leg.record.shipment.record_id}" for leg in trace.legs]


def boxed(node: str, record_id: str, procedure: int, days: float, container: str = case.CONTAINER) -> HistoryRecord:
    """A record that names a container and nothing else."""
    return case.record(
        node,
        record_id,
        procedure,  # type: ignore[arg-type]
        days * DAY,
        equipment=[goods_pb2.Equipment(id=container)],
    )


def weighing(
    node: str, record_id: str, procedure: int, days: float, net_kg: float, party: party_pb2.Party = case.EXPORTER
) -> HistoryRecord:
    """A record that shares a trader and a mass and nothing else."""
    return case.record(
        node,
        record_id,
        procedure,  # type: ignore[arg-type]
        days * DAY,
        parties=[party],
        goods=[case.goods("780110", "Lead ingots", net_kg=net_kg)],
    )


def test_the_records_of_the_case_keep_the_contract() -> None:
    assert [violations(record) for record in (*case.the_case(), *case.the_twin())] == [[]] * 8


@pytest.mark.parametrize("records", [case.the_case(), case.the_twin()], ids=["case", "twin"])
def test_the_way_over_three_territories_is_put_together(records: list[HistoryRecord]) -> None:
    trace = assemble(case.found_by_first_question(records), case.answers())
    assert legs(trace) == [
        "cn/531620260000260117",
        "hk/HKI-2026-004711",
        "hk/HKR-2026-004902",
        "mo/MO-IMP-26-03381",
    ]
    assert not trace.truncated
    assert [answer.node for answer in trace.answers] == ["cn", "hk", "mo"]
    first = [[(link.leg, link.kind) for link in leg.links] for leg in trace.legs]
    assert first[0] == []
    assert first[1][0] == (0, "ucr")
    assert (0, "transport_document") in first[1]
    assert first[2][0] == (1, "previous_document")
    assert first[3][0] == (2, "transport_document")
    assert (2, "seal") in first[3]


def test_links_are_explained() -> None:
    trace = assemble(case.found_by_first_question(case.the_case()), [])
    by_kind = {link.kind: link for leg in trace.legs for link in leg.links}
    assert by_kind["previous_document"].because == (
        "hk/HKR-2026-004902 gives HKI2026004711 as its previous document; "
        "that is the declaration of hk/HKI-2026-004711."
    )
    assert "no other trip of it lies between" in by_kind["container"].because
    assert by_kind["seal"].value == "HK7700926"
    assert all(0 < link.strength <= 1 and link.because.endswith(".") for link in by_kind.values())


def test_events_are_in_order_with_place_zone_and_source() -> None:
    trace = assemble(case.found_by_first_question(case.the_case()), [])
    times = [(event.at.seconds, event.at.nanos) for event in trace.events]
    assert times == sorted(times)
    assert {event.kind for event in trace.events} >= {
        "declared",
        "departed",
        "arrived",
        "measured",
        "gate_in",
        "e_lock_applied",
        "seal_applied",
        "release",
    }
    for event in trace.events:
        assert event.place.territory in ("CN", "HK", "MO")
        assert event.utc_offset_minutes == 480
        assert event.node == trace.legs[event.leg].record.node
        assert event.text
    departed = [event for event in trace.events if event.kind == "departed" and event.place.territory == "CN"]
    assert [event.node for event in departed] == ["cn", "hk"]  # both say so: both stay
    assert departed[0].text == "Left Yantian 盐田 for Heung Yuen Wai 香園圍 by road (粤Z·DM26港, ZZ 2617)"


def test_what_was_left_out_on_the_way_is_left_out() -> None:
    export, arrival, _, end = case.the_case()
    stranger = case.record("mo", "MO-IMP-26-99999", IMPORT, 29, parties=[case.MO_CONSIGNEE])
    trace = assemble(case.found_by_first_question([export, arrival, end, stranger]), [])
    assert "mo/MO-IMP-26-99999" not in legs(trace)
    assert "mo/MO-IMP-26-03381" in legs(trace)  # by its container
    assert trace.legs[-1].links[0].kind == "container"


def test_nothing_found_is_an_empty_trace() -> None:
    trace = assemble([], case.answers())
    assert not trace.legs
    assert not trace.events
    assert not trace.truncated
    assert len(trace.answers) == 3


def test_a_container_that_is_used_again_joins_each_trip_alone() -> None:
    """Four trips, a week apart: each within the window, none part of another."""
    records = [
        boxed(node, f"{node}-{trip}-2026", procedure, trip * 7 + days)
        for trip in range(4)
        for node, procedure, days in (("cn", EXPORT, 0.0), ("hk", IMPORT, 0.2), ("mo", IMPORT, 1.5))
    ]
    for trip in range(4):
        found = [
            RecordHit(record, None if record.shipment.record_id == f"cn-{trip}-2026" else SearchCriteria())
            for record in records
        ]
        assert legs(assemble(found, [])) == [f"cn/cn-{trip}-2026", f"hk/hk-{trip}-2026", f"mo/mo-{trip}-2026"]


@pytest.mark.parametrize(("days", "joined"), [(45.0, True), (45.001, False)])
def test_a_container_joins_within_45_days(days: float, *, joined: bool) -> None:
    found = [RecordHit(boxed("cn", "cn-1", EXPORT, 0)), RecordHit(boxed("hk", "hk-1", IMPORT, days), SearchCriteria())]
    assert len(assemble(found, []).legs) == (2 if joined else 1)


def test_a_question_that_finds_many_consignments_means_the_newest() -> None:
    found = [RecordHit(boxed("cn", "cn-1", EXPORT, 0)), RecordHit(boxed("cn", "cn-2", EXPORT, 90))]
    trace = assemble(found, [])
    assert legs(trace) == ["cn/cn-2"]
    assert trace.truncated


def test_goods_of_one_container_are_one_consignment() -> None:
    """Two declarations of an hour: groupage, or what is hidden behind other goods."""
    found = [
        RecordHit(boxed("cn", "cn-1", EXPORT, 0)),
        RecordHit(boxed("cn", "cn-2", EXPORT, 1 / 24), SearchCriteria()),
    ]
    assert len(assemble(found, []).legs) == 2


def test_only_the_newest_revision_of_a_record_counts() -> None:
    old = boxed("hk", "hk-1", IMPORT, 1)
    new = boxed("hk", "hk-1", IMPORT, 1, container="TGHU7654321")
    new.revision = 2
    other = boxed("mo", "hk-1", IMPORT, 2)  # another node's record of the same key is another record
    found = [
        RecordHit(boxed("cn", "cn-1", EXPORT, 0)),
        *(RecordHit(each, SearchCriteria()) for each in (old, new, other)),
    ]
    assert legs(assemble(found, [])) == ["cn/cn-1", "mo/hk-1"]
    assert legs(assemble([RecordHit(old), RecordHit(new), RecordHit(old)], [])) == ["hk/hk-1"]


def test_a_record_whose_references_are_withheld_is_joined_by_what_it_was_found_by() -> None:
    export, arrival, *_ = case.the_case()
    del arrival.shipment.equipment[:], arrival.shipment.means[:], arrival.shipment.events[:], arrival.shipment.route[:]
    for number, reference in enumerate(arrival.shipment.references):
        reference.ClearField("value")
        arrival.withheld.add(path=f"references[{number}].value", disclosure_class=2)
    asked = SearchCriteria(references=[history_pb2.SearchReference(value="6CN91440300MA5EXMPLXX-0117")])
    trace = assemble([RecordHit(export), RecordHit(arrival, asked)], [])
    assert len(trace.legs) == 2
    (link,) = trace.legs[1].links
    assert (link.kind, link.value) == ("ucr", "6CN91440300MA5EXMPLXX-0117")
    assert link.because == ("hk found it when asked for 6CN91440300MA5EXMPLXX-0117; what it names itself is withheld.")
    # of one that hides nothing it doesn't count by what it was found: here only a trader and a quantity are left
    del arrival.withheld[:]
    trace = assemble([RecordHit(export), RecordHit(arrival, asked)], [])
    assert [link.kind for link in trace.legs[1].links] == ["party", "quantity_and_time"]


def test_a_record_is_joined_by_an_earlier_revision() -> None:
    export = case.the_case()[0]
    changed = boxed("hk", "hk-1", IMPORT, 1, container="TGHU7654321")
    changed.revision, changed.matched_revision = 3, 1
    trace = assemble([RecordHit(export), RecordHit(changed, SearchCriteria(containers=["gwdu 260117 4"]))], [])
    assert "stands in its revision 1" in trace.legs[1].links[0].because


@pytest.mark.parametrize(("net_kg", "joined"), [(19_000, True), (18_999, False), (21_052, True), (21_053, False)])
def test_the_same_trader_and_quantity_join_within_5_percent(net_kg: float, *, joined: bool) -> None:
    found = [
        RecordHit(weighing("cn", "cn-1", EXPORT, 0, 20_000)),
        RecordHit(weighing("hk", "hk-1", IMPORT, 2, net_kg), SearchCriteria()),
    ]
    trace = assemble(found, [])
    assert len(trace.legs) == (2 if joined else 1)
    if joined:
        assert [link.kind for link in trace.legs[1].links] == ["party", "quantity_and_time"]
        assert "2 days apart" in trace.legs[1].links[0].because


@pytest.mark.parametrize(("days", "joined"), [(30.0, True), (30.001, False)])
def test_the_same_trader_and_quantity_join_within_30_days(days: float, *, joined: bool) -> None:
    found = [
        RecordHit(weighing("cn", "cn-1", EXPORT, 0, 20_000)),
        RecordHit(weighing("hk", "hk-1", IMPORT, days, 20_000), SearchCriteria()),
    ]
    assert len(assemble(found, []).legs) == (2 if joined else 1)


def test_weak_links_need_a_trader_or_a_place() -> None:
    other = party_pb2.Party(role=party_pb2.PARTY_ROLE_EXPORTER, names=[party_pb2.Name(text="Somebody Else Ltd")])
    apart = [
        RecordHit(weighing("cn", "cn-1", EXPORT, 0, 20_000)),
        RecordHit(weighing("hk", "hk-1", IMPORT, 2, 20_000, other), SearchCriteria()),
    ]
    assert len(assemble(apart, []).legs) == 1
    for each in apart:
        each.record.shipment.route.append(case.way(case.YANTIAN, case.HEUNG_YUEN_WAI, 1, 2, case.lorry()))
    trace = assemble(apart, [])
    assert [link.kind for link in trace.legs[1].links] == ["quantity_and_time"]


def test_regular_shipments_of_one_trader_are_not_mixed_up() -> None:
    """The same quantity every week: each import follows the nearest export, and joins nothing else."""
    records = [
        weighing(node, f"{node}-{week}", procedure, week * 7 + days, 20_000)
        for week in range(4)
        for node, procedure, days in (("cn", EXPORT, 0), ("hk", IMPORT, 1))
    ]
    for week in range(4):
        found = [
            RecordHit(each, None if each.shipment.record_id == f"cn-{week}" else SearchCriteria()) for each in records
        ]
        assert legs(assemble(found, [])) == [f"cn/cn-{week}", f"hk/hk-{week}"]


def test_a_weak_link_joins_a_leaf_that_joins_nothing() -> None:
    leaf = weighing("hk", "hk-1", IMPORT, 2, 20_000)
    leaf.shipment.equipment.add(id="TGHU7654321")
    further = boxed("mo", "mo-1", IMPORT, 3, container="TGHU7654321")
    found = [
        RecordHit(weighing("cn", "cn-1", EXPORT, 0, 20_000)),
        RecordHit(leaf, SearchCriteria()),
        RecordHit(further, SearchCriteria()),
    ]
    assert legs(assemble(found, [])) == ["cn/cn-1", "hk/hk-1"]


def test_a_lorry_joins_on_the_same_day_alone() -> None:
    def carried(node: str, hours: float) -> HistoryRecord:
        procedure = EXPORT if node == "cn" else IMPORT
        return case.record(node, f"{node}-1", procedure, hours, means=[case.CN_LORRY])

    def joined(hours: float) -> int:
        return len(assemble([RecordHit(carried("cn", 0)), RecordHit(carried("hk", hours), SearchCriteria())], []).legs)

    assert (joined(24), joined(24.1)) == (2, 1)


def test_a_vessel_joins_nothing() -> None:
    ship = goods_pb2.TransportMeans(mode=goods_pb2.TRANSPORT_MODE_SEA, name="EXAMPLE STAR", journey="0117S")
    ship.registrations.add(scheme="imo_ship", value="9074729")
    found = [
        RecordHit(case.record("cn", "cn-1", EXPORT, 0, means=[ship])),
        RecordHit(case.record("hk", "hk-1", IMPORT, 5, means=[ship]), SearchCriteria()),
    ]
    assert len(assemble(found, []).legs) == 1


def test_declaration_numbers_of_two_territories_are_two() -> None:
    def declared(node: str, territory: str, kind: int) -> HistoryRecord:
        number = case.reference(kind, "20260117", territory)  # type: ignore[arg-type]
        return case.record(node, f"{node}-1", EXPORT if node == "cn" else IMPORT, 0, references=[number])

    def joined(territory: str) -> int:
        found = [
            RecordHit(declared("cn", "CN", case.DECLARATION)),
            RecordHit(declared("hk", territory, case.PREVIOUS_DOCUMENT), SearchCriteria()),
        ]
        return len(assemble(found, []).legs)

    assert (joined("CN"), joined(""), joined("MO")) == (2, 2, 1)


def test_too_many_legs_are_cut_and_said() -> None:
    found = [
        RecordHit(case.record("cn", f"cn-{number}", EXPORT, 0, references=[case.reference(case.UCR, "6CN-ONE")]), None)
        for number in range(MAX_LEGS + 1)
    ]
    trace = assemble(found, [])
    assert (len(trace.legs), trace.truncated) == (MAX_LEGS, True)


def test_a_trace_fits_into_a_message_whatever_partners_answer() -> None:
    """And a partner's large records take no other's place."""
    found = [
        RecordHit(
            case.record(node, f"{node}-{number:02}", EXPORT, number, references=[case.reference(case.UCR, "6CN-ONE")]),
            None if node == "cn" else SearchCriteria(),
        )
        for node in ("cn", "mo", "hk")
        for number in range(5)
    ]
    for hit in found:
        if hit.record.node == "mo":
            goods = hit.record.shipment.goods.add(description="x" * 1024)
            hit.record.shipment.goods.extend(goods for _ in range(1_500))
            hit.record.shipment.events.extend(case.event("gate_in", 1, case.YANTIAN) for _ in range(2_000))
    trace = assemble(found, [])
    assert trace.ByteSize() < MAX_MESSAGE_BYTES - CONTROLLED_BYTES - DISCREPANCY_BYTES - 3 * MAX_DRAFT_BYTES
    nodes = [leg.record.node for leg in trace.legs]
    assert (nodes.count("cn"), nodes.count("hk"), trace.truncated) == (5, 5, True)
    assert 0 < nodes.count("mo") < 5
    assert {link.leg for leg in trace.legs for link in leg.links} <= set(range(len(trace.legs)))


def test_of_too_many_records_the_nearest_are_looked_at() -> None:
    start = case.record("cn", "cn-start", EXPORT, 0, references=[case.reference(case.UCR, "6CN-ONE")])
    others = [
        case.record(
            "hk",
            f"hk-{number:05d}",
            IMPORT,
            number * DAY,
            references=[case.reference(case.UCR, "6CN-ONE")] if number in (3, MAX_RECORDS + 2) else [],
        )
        for number in range(1, MAX_RECORDS + 3)
    ]
    trace = assemble([RecordHit(start), *(RecordHit(each, SearchCriteria()) for each in others)], [])
    assert legs(trace) == ["cn/cn-start", "hk/hk-00003"]
    assert trace.truncated


def test_of_too_many_events_the_first_are_told() -> None:
    shipment = case.record("cn", "cn-1", EXPORT, 0)
    shipment.shipment.events.extend(case.event("gate_in", 1, case.YANTIAN) for _ in range(MAX_EVENTS))
    trace = assemble([RecordHit(shipment)], [])
    assert (len(trace.events), trace.truncated) == (MAX_EVENTS, True)
    assert trace.events[0].kind == "declared"


def test_a_record_that_names_everything_is_read_in_part() -> None:
    named = case.record("cn", "cn-1", EXPORT, 0, references=[case.reference(case.UCR, "6CN-ONE")])
    named.shipment.equipment.extend(
        goods_pb2.Equipment(id=f"GWDU{number:07d}", seals=[f"SEAL-{number}-{seal}" for seal in range(16)])
        for number in range(64)
    )
    keys = link_keys(named)
    assert len(keys) == MAX_KEYS
    assert keys[0].kind == LinkKind.UCR


def test_a_partial_answer_makes_a_part() -> None:
    answers = [history_pb2.NodeAnswer(node="hk", status=history_pb2.ANSWER_STATUS_PARTIAL)]
    assert assemble(case.found_by_first_question(case.the_case()), answers).truncated


def test_values_are_compared_in_normal_form() -> None:
    def keys(**fields: object) -> set[tuple[str, str]]:
        return {(key.kind, key.value) for key in link_keys(case.record("cn", "x", EXPORT, 0, **fields))}

    assert keys(equipment=[goods_pb2.Equipment(id="gwdu 260117-4")]) == {("container", "GWDU2601174")}
    assert keys(equipment=[goods_pb2.Equipment(id="ＧＷＤＵ２６０１１７４")]) == {("container", "GWDU2601174")}
    assert keys(means=[case.CN_LORRY]) == {("vehicle", "粤ZDM26港"), ("vehicle", "ZZ2617")}
    assert keys(references=[case.reference(case.TRANSPORT_DOCUMENT, "180-1234 5675")]) == {
        ("transport_document", "18012345675")
    }
    # punctuation belongs to a UCR
    assert keys(references=[case.reference(case.UCR, "6cn:a-1 b")]) == {("ucr", "6CN:A-1B")}
    # a licence covers many consignments, a seal of four characters belongs to many makers
    licence = case.reference(goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE, "LICENCE-1")
    assert keys(references=[licence], equipment=[goods_pb2.Equipment(id="GWDU2601174", seals=["1234"])]) == {
        ("container", "GWDU2601174")
    }


def test_strengths_keep_their_order() -> None:
    strengths = {kind: RULES[kind].strength for kind in LinkKind}
    assert set(RULES) == set(LinkKind)
    assert all(0 < strength <= 1 for strength in strengths.values())
    weak = {kind for kind in LinkKind if not RULES[kind].widens}
    assert weak == {LinkKind.PARTY, LinkKind.VEHICLE, LinkKind.QUANTITY_AND_TIME}
    assert max(strengths[kind] for kind in weak) < min(strengths[kind] for kind in set(LinkKind) - weak)


# --- whatever the order in which answers come

_nodes = st.sampled_from(["cn", "hk", "mo"])
_shared = st.sampled_from(["", "A", "B"])


@st.composite
def records(draw: st.DrawFn) -> RecordHit:
    """Records that share containers, documents, traders and quantities by chance."""
    made = weighing(
        draw(_nodes),
        f"record-{draw(st.integers(0, 7))}",
        draw(st.integers(1, 6)),
        draw(st.integers(0, 40)) / 2,
        draw(st.sampled_from([10_000.0, 10_400.0, 20_000.0])),
        draw(st.sampled_from([case.EXPORTER, case.HK_CONSIGNEE, case.MO_CONSIGNEE])),
    )
    made.revision = draw(st.integers(1, 3))
    for kind, prefix in (
        (case.UCR, "6CN-CASE-"),
        (case.TRANSPORT_DOCUMENT, "DOC-26-"),
        (case.PREVIOUS_DOCUMENT, "D-26-"),
    ):
        suffix = draw(_shared)
        if suffix:
            made.shipment.references.append(case.reference(kind, prefix + suffix))
    suffix = draw(_shared)
    if suffix:
        made.shipment.equipment.add(id=f"GWDU260117{suffix}", seals=["CN2601174"] if draw(st.booleans()) else [])
    if draw(st.booleans()):
        made.shipment.means.append(case.CN_LORRY)
    if draw(st.booleans()):
        made.withheld.add(path="references[0].value", disclosure_class=2)
    by = draw(st.sampled_from([None, SearchCriteria(containers=["GWDU260117A"]), SearchCriteria(seals=["CN2601174"])]))
    return RecordHit(made, by)


@settings(max_examples=200, deadline=None)
@given(st.lists(records(), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_records_changes_nothing(found: list[RecordHit], order: random.Random) -> None:
    shuffled: Sequence[RecordHit] = order.sample(found, len(found))
    expected = assemble(found, [])
    assert assemble(shuffled, []) == expected
    # whatever it holds, it is whole: links point at earlier found legs and every leg but the first has one
    assert sum(not leg.links for leg in expected.legs) == bool(expected.legs)
    for number, leg in enumerate(expected.legs):
        assert all(link.leg != number and link.leg < len(expected.legs) for link in leg.links)
    assert len({(leg.record.node, leg.record.shipment.record_id) for leg in expected.legs}) == len(expected.legs)


# --- an oracle for the links that are kept: all pairs


@st.composite
def dated(draw: st.DrawFn) -> RecordHit:
    """A record with documents of a few numbers and a span of up to a year."""
    begin = draw(st.integers(0, 900))
    made = case.record(
        draw(_nodes),
        f"record-{draw(st.integers(0, 99_999_999)):08d}",
        shipment_pb2.SHIPMENT_PROCEDURE_MANIFEST,
        begin * DAY,
        references=[
            case.reference(case.TRANSPORT_DOCUMENT, f"DOC-26-{draw(st.integers(0, 3))}")
            for _ in range(draw(st.integers(1, 2)))
        ],
        events=[case.event("gate_out", (begin + draw(st.integers(-365, 365))) * DAY, case.YANTIAN)],
    )
    del made.shipment.equipment[:]
    for each in made.shipment.events:
        each.ClearField("equipment_id")
    return RecordHit(made, SearchCriteria())


def reached_by_all_pairs(found: Sequence[RecordHit]) -> set[str]:
    """Names of the records that a chain of pairs reaches, each with a shared document and at most 180 days apart."""

    def joined(one: HistoryRecord, other: HistoryRecord) -> bool:
        shared = {each.value for each in one.shipment.references} & {each.value for each in other.shipment.references}
        ends = [
            sorted((each.shipment.declared_at.seconds, each.shipment.events[0].occurred_at.seconds))
            for each in (one, other)
        ]
        apart = max(ends[0][0] - ends[1][1], ends[1][0] - ends[0][1], 0)
        return bool(shared) and apart <= 180 * 86_400

    records = {(each.record.node, each.record.shipment.record_id): each.record for each in found}
    start = next((each.record.node, each.record.shipment.record_id) for each in found if each.by is None)
    reached, waiting = {start}, [start]
    while waiting:
        one = records[waiting.pop()]
        for name, other in records.items():
            if name not in reached and joined(one, other):
                reached.add(name)
                waiting.append(name)
    return {"/".join(name) for name in reached}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        dated(), min_size=1, max_size=14, unique_by=lambda each: (each.record.node, each.record.shipment.record_id)
    )
)
def test_links_that_are_kept_reach_whatever_all_pairs_reach(found: list[RecordHit]) -> None:
    asked = [RecordHit(found[0].record), *found[1:]]
    assert set(legs(assemble(asked, []))) == reached_by_all_pairs(asked)


def test_a_record_of_a_long_time_joins_two_that_are_apart() -> None:
    def told(record_id: str, declared: float, event: float) -> RecordHit:
        made = case.record(
            "cn",
            record_id,
            shipment_pb2.SHIPMENT_PROCEDURE_MANIFEST,
            declared * DAY,
            references=[case.reference(case.TRANSPORT_DOCUMENT, "DOC-26-1")],
            events=[case.event("gate_in", event * DAY, case.YANTIAN)],
        )
        made.shipment.events[0].ClearField("equipment_id")
        return RecordHit(made, SearchCriteria() if record_id != "first" else None)

    apart = [told("first", 0, 0), told("second", 205, 205)]
    assert len(assemble(apart, []).legs) == 1
    assert len(assemble([*apart, told("third", 210, 10)], []).legs) == 3


def test_a_number_without_a_territory_goes_with_the_nearest() -> None:
    """Two territories gave out the same number; who names it without a territory means one of them."""
    found = [
        RecordHit(
            case.record("cn", "cn-1", EXPORT, 0, references=[case.reference(case.DECLARATION, "20260117", "CN")])
        ),
        RecordHit(
            case.record("hk", "hk-1", EXPORT, 100, references=[case.reference(case.DECLARATION, "20260117", "HK")]),
            SearchCriteria(),
        ),
        RecordHit(
            case.record("mo", "mo-1", IMPORT, 110, references=[case.reference(case.PREVIOUS_DOCUMENT, "20260117")]),
            SearchCriteria(),
        ),
    ]
    assert legs(assemble(found, [])) == ["cn/cn-1"]
    from_hk = [RecordHit(each.record, None if each.record.node == "hk" else SearchCriteria()) for each in found]
    assert legs(assemble(from_hk, [])) == ["hk/hk-1", "mo/mo-1"]
