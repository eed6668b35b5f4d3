"""Tools of the scenes: hand a message over and time its way, step by step, until the partner has answered for it.

Times are this process's, from the call on, for all nodes: they run on one machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from demo.eyes import Sight
from demo.facts import Carried, Facts
from demo.pairs import pair
from demo.screen import FeedView, Screen
from demo.stage import CUT_PAIRS, NODES, Stage
from gateway.client import AlertContent, AlertReference
from gateway.errors import GatewayError, NotFoundError
from gateway.v1.alert_service_pb2 import EntryReference

PATIENCE_S = 20.0
"""How long the demo waits for what must come, in seconds; far more than it takes on a busy machine."""

POLL_S = 0.004
"""How often a gateway is asked for receipts and dispositions while a message is timed, in seconds."""

_VIEW_POLL_S = 0.2

T = TypeVar("T")


class StuckError(Exception):
    """What must come didn't."""


class _Answer(Protocol):
    @property
    def entries(self) -> Sequence[EntryReference]: ...


A = TypeVar("A", bound=_Answer)


@dataclass
class Play:
    """One run: the stage, what is told, and what was measured."""

    stage: Stage
    screen: Screen
    facts: Facts

    async def publish(self, node: str, content: AlertContent, to: str, what: str) -> AlertReference:
        """Publishes an alert to one partner and follows it to the partner's disposition."""
        client = self.stage.system(node, "risk-engine")
        began = time.perf_counter()
        response = await client.publish(content, [to])
        stored_ms = _ms_since(began)
        reference = AlertReference(publisher=node, alert_id=response.alert_id)
        self.facts.note_published(pair(node, to), response.alert_id)
        shown, receipt, applied = await asyncio.gather(
            self._shown(response.entries[0], to, began),
            self._receipted(response.entries[0], node, began),
            self._applied(reference, to, began),
        )
        self._tell(Carried(node, to, what, stored_ms, shown, receipt, applied))
        return reference

    async def step(self, node: str, to: str, kind: str, what: str, call: Awaitable[A]) -> A:
        """Takes a later step on an alert and follows it to the partner's receipt."""
        began = time.perf_counter()
        response = await call
        stored_ms = _ms_since(began)
        self.facts.steps[kind] += 1
        entry = response.entries[0]
        shown, receipt = await asyncio.gather(self._shown(entry, to, began), self._receipted(entry, node, began))
        self._tell(Carried(node, to, what, stored_ms, shown, receipt))
        return response

    async def wait(self, what: str, check: Callable[[], Awaitable[T | None]], *, poll_s: float = POLL_S) -> T:
        """Asks again and again until there is an answer.

        Raises:
            StuckError: there is none after PATIENCE_S.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    found = await check()
                    if found is not None:
                        return found
                    await asyncio.sleep(poll_s)
        except TimeoutError:
            raise StuckError(f"{what} didn't come in {PATIENCE_S:g} s") from None

    async def backlog(self, node: str, to: str) -> tuple[int, int]:
        """Size of our feeds to a partner together, and entries in them without the partner's receipt."""
        links = await self.stage.system(node, "ops").node.links()
        own = [link for link in links if link.direction == "out" and link.partner == to]
        return sum(link.size for link in own), sum(link.backlog for link in own)

    async def shown(self, node: str, origin: str, index: int) -> Sight:
        """Waits until a node's officers have been shown an entry."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.stage.eyes[node].see(origin, index)
        except TimeoutError:
            raise StuckError(f"entry {index} of {origin} wasn't shown at {node} in {PATIENCE_S:g} s") from None

    async def everything_shown(self, publisher: str, to: str) -> None:
        """Waits until the officers at a partner were shown every alert that its publisher knows to be durable."""
        between = pair(publisher, to)

        async def check() -> bool | None:
            shown = set(self.stage.eyes[to].published(between))
            return shown.issuperset(self.facts.published.get(between, ())) or None

        await self.wait(f"every alert of {publisher} at {to}", check, poll_s=0.01)

    async def follow(self) -> None:
        """Keeps the live view up to date until it is cancelled."""
        while True:
            await asyncio.gather(*(self._look_at(node) for node in NODES))
            await asyncio.sleep(_VIEW_POLL_S)

    async def _look_at(self, node: str) -> None:
        gateway, view = self.stage.gateways[node], self.screen.nodes[node]
        if gateway.pid is None:
            view.state = "down"
            return
        try:
            async with asyncio.timeout(1):
                links = await self.stage.system(node, "ops").node.links()
        except (GatewayError, TimeoutError):
            view.state = f"starting, pid {gateway.pid}"
            return
        view.state = f"serving, pid {gateway.pid}"
        for partner in {link.partner for link in links if link.direction == "out"}:
            out = [link for link in links if link.direction == "out" and link.partner == partner]
            state = "cut" if self.stage.is_cut and (node, partner) in CUT_PAIRS else ""
            size, backlog = sum(link.size for link in out), sum(link.backlog for link in out)
            self.screen.feeds[node, partner] = FeedView(size, backlog, state)

    async def _shown(self, entry: EntryReference, to: str, began: float) -> float:
        return 1000 * ((await self.shown(to, entry.origin, entry.index)).at_s - began)

    async def _receipted(self, entry: EntryReference, node: str, began: float) -> float:
        async def check() -> float | None:
            links = await self.stage.system(node, "ops").node.links()
            receipted = next((link.size - link.backlog for link in links if link.origin == entry.origin), 0)
            return _ms_since(began) if receipted > entry.index else None

        return await self.wait(f"the receipt for entry {entry.index} of {entry.origin}", check)

    async def _applied(self, reference: AlertReference, to: str, began: float) -> float:
        client = self.stage.system(reference.publisher, "officers")

        async def check() -> float | None:
            try:
                found = await client.get_alert(reference)
            except NotFoundError:  # not even our projection has it yet
                return None
            known = [each for each in found.deliveries if each.recipient == to and each.disposition]
            return _ms_since(began) if known else None

        return await self.wait(f"{to}'s disposition of alert {reference.alert_id}", check)

    def _tell(self, carried: Carried) -> None:
        self.facts.carried.append(carried)
        self.screen.carried(carried)


def _ms_since(began: float) -> float:
    return 1000 * (time.perf_counter() - began)
