"""Records go by themselves when their time is over, but for what a legal hold names; what is left still verifies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.client import GatewayClient
from gateway.errors import NotFoundError
from gateway.node.assembly.node import system_clock_ms
from gateway.node.maintenance import maintenance
from gateway.v1 import history_pb2
from tests.support.federation import Federation, eventually, with_logs
from tests.support.history_calls import recorded
from tests.support.shipments import shipment

DAY_MS = 24 * 3600 * 1000
KEEP = "\n[history]\nretention_days = { standard = 1825, short = 1 }\n"


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    yield from with_logs(tmp_path, settings=KEEP)


def test_a_record_is_purged_and_what_is_held_stays(federation: Federation) -> None:
    federation.start("hk")

    async def placed() -> str:
        await recorded(
            federation,
            "hk",
            shipment("GOES", retention_class="short"),
            shipment("HELD", retention_class="short"),
            shipment("STAYS"),
        )
        async with federation.client("hk", "supervisor") as supervisor:
            held = history_pb2.SearchCriteria(record_ids=["HELD"])
            hold = await supervisor.history.place_hold(held, reason="Court order 12", case_reference="CASE-9")
            assert hold.records == 1
        return hold.hold_id

    hold_id = federation.run(placed())
    federation["hk"].stop()

    async def later() -> None:
        async with (
            federation.inside("hk", clock=lambda: system_clock_ms() + 3 * DAY_MS),
            federation.client("hk", "auditor") as auditor,
        ):
            await eventually(lambda: _is_gone(auditor, "GOES"), what="the end of a record")
            held = await auditor.history.get("HELD")
            assert list(held.hold_ids) == [hold_id]
            assert held.revisions[0].item.shipment.record_id == "HELD"
            assert (await auditor.history.get("STAYS")).HasField("delete_after")
            (told,) = [one async for one in auditor.evidence.audit_events() if one.method == "purge"]
            assert told.details["records"] == "1"
            assert told.details["subject_ids"] == "GOES"
            assert "SHA-256" in told.details["detail"]

    federation.run(later())
    with maintenance(federation["hk"].settings) as opened:
        report = opened.verify(lambda _: None)
    assert (report.findings, report.records) == ((), 3)


async def _is_gone(client: GatewayClient, record_id: str) -> bool:
    try:
        await client.history.get(record_id)
    except NotFoundError:
        return True
    return False
