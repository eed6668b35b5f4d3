"""The case from end to end: one question to all three customs, one timeline, and what doesn't add up on it."""

from __future__ import annotations

import time

from demo import case
from demo.consignment import TWIN_CONTAINER
from demo.facts import Traced
from demo.play import Play
from gateway.cli.history.trace_terminal import render_terminal
from gateway.tracing.report.html import render_html
from gateway.v1 import history_pb2
from gateway.v1.trace_pb2 import Trace

ASKING = "mo"
GROUNDS = history_pb2.QueryGrounds(
    purpose="export_control", legal_basis=case.LEGAL_BASIS, case_reference="MO-2026-0008"
)
REPORT = "trace.html"


async def traced(play: Play) -> None:
    """Macao asks all three by the container alone, and then for its twin."""
    play.screen.heading(f"9  The whole way: {ASKING} asks all three for container {case.CONTAINER}")
    began = time.perf_counter()
    of_case, draft = await _trace(play, case.CONTAINER)
    took_ms = 1000 * (time.perf_counter() - began)
    of_twin, _ = await _trace(play, TWIN_CONTAINER)
    report = play.stage.root / REPORT
    report.write_text(render_html(of_case, GROUNDS), encoding="utf-8")
    drawn = render_terminal(of_case, GROUNDS, width=play.screen.width, colour=play.screen.is_live)
    play.screen.drawn(drawn)
    play.screen.say(
        f"  put together from {len(of_case.legs)} records of three customs in {took_ms:.0f} ms; as a report: {report}"
    )
    play.screen.say(
        f"  its innocent twin, the same goods under their own name and licensed: {len(of_twin.legs)} records, "
        f"{len(of_twin.discrepancies)} contradictions"
    )
    play.facts.traced = Traced(
        legs=tuple(leg.record.node for leg in of_case.legs),
        partner_answers=sum(answer.node != "mo" for answer in of_case.answers),
        statements=sum(bool(answer.statement) for answer in of_case.answers),
        rules=tuple(dict.fromkeys(one.rule_id for one in of_case.discrepancies)),
        inspected=sum(bool(leg.record.shipment.inspections) for leg in of_case.legs),
        drafted=draft,
        twin_legs=len(of_twin.legs),
        twin_rules=tuple(one.rule_id for one in of_twin.discrepancies),
        took_ms=took_ms,
    )
    await play.screen.beat(2)


async def _trace(play: Play, container: str) -> tuple[Trace, bool]:
    criteria = history_pb2.SearchCriteria(containers=[container])
    officers = play.stage.system(ASKING, "officers")
    response = await officers.history.trace(criteria, GROUNDS, draft_alert=True)
    return response.trace, response.HasField("draft")
