"""What each customs records by itself: its part of the case's way, and of another consignment like it."""

from __future__ import annotations

from datetime import UTC, datetime

from demo.consignment import records_of_the_case, records_of_the_twin
from demo.facts import Papers
from demo.play import Play
from demo.stage import NODES
from gateway.errors import NotFoundError


async def recorded(play: Play) -> None:
    """Each node records its part; nothing of it leaves the node."""
    play.screen.heading("1  Papers: each customs records its part of the way")
    now = datetime.now(UTC)
    case, twin = records_of_the_case(now), records_of_the_twin(now)
    count = 0
    for node in NODES:
        own = [*twin[node], *case[node]]
        async for batch in play.stage.system(node, "risk-engine").history.record(own):
            count += batch.recorded
        play.screen.say(f"  {node}   {len(own)} records: {', '.join(one.record_id for one in own)}")

        async def indexed(node: str = node, last: str = own[-1].record_id) -> bool | None:
            try:
                await play.stage.system(node, "officers").history.get(last)
            except NotFoundError:
                return None
            return True

        await play.wait(f"the records of {node}", indexed, poll_s=0.02)
    play.facts.papers = Papers(recorded=count)
    await play.screen.beat(1)
