"""One consignment traced over three nodes: the demo's case and its innocent twin, and what an officer makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.v1 import goods_pb2, history_pb2, shipment_pb2, trace_pb2
from gateway.v1 import history_service_pb2 as pb
from tests.support import consignments as case
from tests.support.command_line import Cli
from tests.support.federation import Federation, with_logs
from tests.support.history_calls import recorded
from tests.support.shipments import shipment

Legs = Sequence[history_pb2.HistoryRecord]


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """Three running nodes for records that must not lie beside others."""
    for made in with_logs(tmp_path):
        made.start()
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("case")):
        made.start()
        made.run(record(made, case.the_case()))
        yield made


@pytest.fixture
def with_case(shared: Federation) -> Iterator[Federation]:
    """Three running nodes that hold the case."""
    yield shared
    for node in shared.nodes.values():
        if node.process is None:
            node.start()


async def record(federation: Federation, legs: Legs) -> None:
    """Each leg at its node, until all are indexed."""
    for node in ("cn", "hk", "mo"):
        own = [leg.shipment for leg in legs if leg.node == node]
        if own:
            await recorded(federation, node, *own)


async def trace(
    federation: Federation, node: str, *, rules: Sequence[str] = (), **criteria: object
) -> pb.TraceConsignmentResponse:
    async with federation.client(node, "officer") as officer:
        asked = history_pb2.SearchCriteria(**criteria)  # type: ignore[arg-type]
        return await officer.history.trace(asked, grounds=case.GROUNDS, draft_alert=True, draft_rules=rules)


def fired(found: trace_pb2.Trace) -> set[str]:
    return {one.rule_id for one in found.discrepancies}


def test_the_case_is_put_together_from_any_reference_at_any_node(with_case: Federation) -> None:
    async def run() -> None:
        by_container = await trace(with_case, "mo", containers=[case.CONTAINER])
        by_document = await trace(with_case, "cn", references=[history_pb2.SearchReference(value="HZMB-88231")])
        for found in (by_container.trace, by_document.trace):
            assert [(leg.record.node, leg.record.shipment.record_id) for leg in found.legs] == [
                ("cn", "531620260000260117"),
                ("hk", "HKI-2026-004711"),
                ("hk", "HKR-2026-004902"),
                ("mo", "MO-IMP-26-03381"),
            ]
            assert sum(bool(leg.links) for leg in found.legs) == 3  # all but the one that the trace began with
            assert {one.node: one.status for one in found.answers} == dict.fromkeys(
                ("cn", "hk", "mo"), history_pb2.ANSWER_STATUS_COMPLETE
            )
            assert "R02" in fired(found)
            assert not found.truncated
        of_one = await trace(with_case, "mo", rules=["R02"], containers=[case.CONTAINER])
        assert {hit.rule_id for hit in of_one.draft.content.rule_hits} == {"R02"}
        drafted = {hit.rule_id for draft in by_container.drafts for hit in draft.content.rule_hits}
        assert "R02" in drafted
        assert drafted <= fired(by_container.trace)
        # Neither gets what the other has answered.
        assert sorted(list(draft.recipients) for draft in by_container.drafts) == [["cn"], ["hk"]]
        async with with_case.client("mo", "publisher") as publisher:
            for draft in by_container.drafts:
                assert (await publisher.publish(draft.content, list(draft.recipients))).alert_id

    with_case.run(run())


def test_every_leg_that_a_partner_told_is_proved_by_its_answer(with_case: Federation, tmp_path: Path) -> None:
    async def run() -> trace_pb2.Trace:
        return (await trace(with_case, "mo", containers=[case.CONTAINER])).trace

    found, mo = with_case.run(run()), Cli(with_case, "mo")
    told = {answer.query_id: answer for answer in found.answers if answer.query_id}
    by_node = [leg.record.node for leg in found.legs]
    assert sorted(by_node) == ["cn", "hk", "hk", "mo"]
    for number, leg in enumerate(found.legs):
        assert bool(leg.query_id) == (leg.record.node != "mo")
        if not leg.query_id:
            continue
        assert told[leg.query_id].node == leg.record.node
        assert told[leg.query_id].statement.startswith(
            f"gba.customs.example/{leg.record.node}/mo/history/{leg.query_id}\n".encode()
        )
        out, name = tmp_path / f"{number}.zip", leg.record.shipment.record_id
        mo.run("officer", "evidence", "export", "--answer", leg.query_id, "--record", name, "--out", out)
        said = mo.run("", "evidence", "verify", out, "--directory", with_case.folder.directory).output
        assert f"Record {name}, revision 1, was in the answer" in " ".join(said.split())
    # What is open in a round is one question to each node, and its answer says what each record meets.
    assert len(told) <= 2 * 3


def test_the_innocent_twin_has_nothing_to_report(federation: Federation) -> None:
    async def run() -> None:
        await record(federation, case.the_twin())
        found = await trace(federation, "hk", containers=[case.CONTAINER])
        assert len(found.trace.legs) == 4
        assert {item.element for item in found.trace.legs[0].controlled} == {"Sb"}
        assert [(one.rule_id, one.explanation) for one in found.trace.discrepancies] == []
        assert not found.HasField("draft")

    federation.run(run())


def test_a_split_shows_in_the_trace_of_one_part(with_case: Federation) -> None:
    """The other parts are no legs: nothing joins them to this one but that they look alike."""

    def part(number: int) -> shipment_pb2.Shipment:
        return shipment(
            f"PART-{number}",
            references=[
                goods_pb2.ShipmentReference(
                    kind=goods_pb2.SHIPMENT_REFERENCE_KIND_UCR, value=f"6CN9144030071526726XG-{number}"
                )
            ],
            equipment=[goods_pb2.Equipment(id=f"CSQU00000{number}1", seals=[f"S-{number}"])],
            means=[],
            goods=[
                shipment_pb2.ShipmentGoods(
                    sequence=1,
                    codes=[goods_pb2.CommodityCode(code="8110101000", scheme="tariff", territory="CN")],
                    description="antimony, unwrought",
                    net_mass_kg=950 + number,
                )
            ],
        )

    async def run() -> None:
        await recorded(with_case, "cn", *(part(number) for number in range(6)))
        ucr = history_pb2.SearchReference(value="6CN9144030071526726XG-3")
        found = (await trace(with_case, "cn", references=[ucr])).trace
        assert [leg.record.shipment.record_id for leg in found.legs] == ["PART-3"]
        (split,) = (one for one in found.discrepancies if one.rule_id == "R19-ALIKE")
        assert all(f"PART-{number}" in str(split) for number in range(6))

    with_case.run(run())


def test_who_is_down_is_told_and_the_rest_is_traced(with_case: Federation) -> None:
    async def run() -> None:
        with_case["mo"].stop()
        found = await trace(with_case, "cn", containers=[case.CONTAINER])
        assert [leg.record.node for leg in found.trace.legs] == ["cn", "hk", "hk"]
        assert {one.node: one.status for one in found.trace.answers}["mo"] == history_pb2.ANSWER_STATUS_UNREACHABLE

    with_case.run(run())


def test_a_trader_with_many_shipments_neither_joins_nor_cuts_off(federation: Federation) -> None:
    async def run() -> None:
        legs = case.the_case()[:3]  # without its end at mo, so that traders are asked for
        await record(federation, legs)
        others = []
        for number in range(60):
            other = shipment_pb2.Shipment()
            other.CopyFrom(legs[0].shipment)
            other.record_id = f"OTHER-{number}"
            del other.references[:], other.equipment[:], other.means[:], other.route[:], other.events[:]
            others.append(other)
        await recorded(federation, "cn", *others)
        found = await trace(federation, "hk", references=[history_pb2.SearchReference(value="HKR-2026-004902")])
        assert [leg.record.shipment.record_id for leg in found.trace.legs] == [leg.shipment.record_id for leg in legs]
        assert not found.trace.truncated

    federation.run(run())
