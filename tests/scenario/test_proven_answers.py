"""Three authorities: one proves that its answers are complete, one doesn't, and one asks both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.node.assembly.node import system_clock_ms
from gateway.node.maintenance import maintenance
from gateway.tracing.report.words import proof_in_words
from gateway.v1 import goods_pb2, history_pb2, shipment_pb2
from tests.support.federation import Federation, eventually, with_logs
from tests.support.history_calls import COMPLETE, Found, HistoryCaller, calling, recorded
from tests.support.shipments import grounds, shipment

DAY_MS = 24 * 3600 * 1000
PROVES = "\n[history]\ncompleteness = true\nretention_days = { standard = 1825, short = 1 }\n"
NOWHERE = history_pb2.SearchCriteria(containers=["MSCU1234566"])


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    yield from with_logs(tmp_path, settings_of=lambda node: PROVES if node == "hk" else "")


async def proven(officer: HistoryCaller, criteria: history_pb2.SearchCriteria | None = None) -> Found:
    """The answers of hk and mo, once hk's tree has what it recorded."""
    found = Found()

    async def is_proven() -> bool:
        nonlocal found
        asked = {} if criteria is None else {"criteria": criteria}
        found = await officer.search(nodes=["hk", "mo"], **asked)
        return found.answers["hk"].HasField("proven_until")

    await eventually(is_proven, what="a proof of hk")
    return found


def test_answers_are_proven_complete_by_those_who_prove_them(federation: Federation) -> None:
    for node in ("cn", "hk", "mo"):
        federation.start(node)

    async def ask() -> None:
        hidden = shipment("HK-HIDDEN", releasable_to=shipment_pb2.ReleaseList(nodes=["mo"]))
        await recorded(federation, "mo", shipment("MO-1"))
        await recorded(federation, "hk", hidden, shipment("HK-1"), shipment("HK-GOES", retention_class="short"))
        async with calling(federation, "cn", "officer") as officer, federation.client("cn", "officer") as client:
            found = await proven(officer)
            assert found.status("hk") == found.status("mo") == COMPLETE
            assert set(found.ids("hk")) == {"HK-1", "HK-GOES"}
            assert found.answers["hk"].untold == 1
            assert not found.answers["mo"].HasField("proven_until")
            nothing = await proven(officer, NOWHERE)
            assert (nothing.ids("hk"), nothing.answers["hk"].untold) == ([], 0)
            by_code = await officer.search(nodes=["hk"], criteria=history_pb2.SearchCriteria(commodity_codes=["7901"]))
            assert not by_code.answers["hk"].HasField("proven_until")
            criteria = history_pb2.SearchCriteria(containers=["CSQU3054383"])
            traced = (await client.history.trace(criteria, grounds(), nodes=["cn", "hk"])).trace
            told = [answer for answer in traced.answers if answer.node == "hk"]
            by_numbers, *by_traders = told
            assert by_numbers.HasField("proven_until")
            assert not any(answer.HasField("proven_until") for answer in by_traders)  # these ask for a span of time
            assert "proven complete up to" in proof_in_words(told)
            assert proof_in_words([answer for answer in traced.answers if answer.node == "cn"]) == ""

    federation.run(ask())
    federation["hk"].stop()

    async def later() -> None:
        """A process that knows nothing goes on with the tree, and an erased record leaves it."""
        async with (
            federation.inside("hk", clock=lambda: system_clock_ms() + 3 * DAY_MS),
            federation.client("hk", "auditor") as auditor,
        ):
            await recorded(federation, "hk", shipment("HK-2", equipment=[goods_pb2.Equipment(id="MSCU1234566")]))

            async def is_gone() -> bool:
                events = [one async for one in auditor.evidence.audit_events() if one.method == "purge"]
                return bool(events)

            await eventually(is_gone, what="the end of a record")

    federation.run(later())
    with maintenance(federation["hk"].settings) as opened:
        report = opened.verify(lambda _: None)
    assert (report.findings, report.records) == ((), 4)
    federation.start("hk")

    async def again() -> None:
        async with calling(federation, "cn", "officer") as officer:

            async def is_settled() -> bool:
                found = await proven(officer)
                return found.answers["hk"].untold == 1 and found.ids("hk") == ["HK-1"]

            await eventually(is_settled, what="the erased record out of the tree")
            assert (await proven(officer, NOWHERE)).ids("hk") == ["HK-2"]

    federation.run(again())
