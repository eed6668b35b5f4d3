"""Fetches an own feed back from its recipient, as an operator asks for it.

1. Fetch the entries that the recipient has beyond this database; each batch has this node's signature (RecoverCommand).
2. Let what waits for entries that both sides have lost go on without these.
3. Compare once more. A recipient with another history ends this: the feed is forked.
4. What this node has signed and the recipient doesn't hold is given up: nobody has it. A local feed has no recipient.
   What may have left this node isn't: a recipient that holds it, and says that it doesn't, would get a second history.
   A recipient that claims less than its own receipt says proves that it lies, or has lost what it confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc.aio

from gateway.contract.ids import KEPT, URGENT_ALERTS, FeedOrigin
from gateway.errors import EpochNeededError, FeedBehindError, InvalidRequestError
from gateway.feed.rpc.comparing import require_one_history
from gateway.feed.rpc.fetching import fetch_all, position_at
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.continuity.recovery import RecoverCommand
from gateway.feed.service.sender import Outgoing
from gateway.feed.service.states import ForceCommand, GiveUpCommand, StateCommand
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.rpc.calls import from_partner
from gateway.rpc.peers import Peers
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import feed_pb2


@dataclass(frozen=True, slots=True)
class Recovered:
    """What came of a recovery, in entries.

    Attributes:
        fetched: that came back.
        size: of the feed now.
        waiting: of both directions, that wait for more of the partner's.
        forced: applied without what they follow.
        lost: that were signed here, and that nobody holds.
    """

    fetched: int
    size: int
    waiting: int
    forced: int
    lost: int


class FeedRecovery:
    """Recovers own feeds, one at a time."""

    def __init__(
        self, *, peers: Peers, outgoing: Outgoing, writer: WriterClient, trust: Callable[[], TrustedDirectory]
    ) -> None:
        self._peers = peers
        self._outgoing = outgoing
        self._writer = writer
        self._trust = trust

    async def recover(self, origin: FeedOrigin) -> Recovered:
        """Steps 1 to 4.

        Raises:
            FeedForkedError: step 3.
            EpochNeededError: step 4; the feed stays blocked, and the reason says why.
            GatewayError: the recipient can't be reached, or sent what doesn't verify.
        """
        before = size = await asyncio.to_thread(self._outgoing.size, origin)
        forced = 0
        if origin.channel not in KEPT:
            await self._require_one_history(origin)
            async for batch in fetch_all(self._peers, origin, before):  # 1
                size = await self._writer.run(RecoverCommand(origin, batch, self._trust))
            if await self._nothing_more_comes(origin):
                forced = await self._writer.run(ForceCommand(origin))  # 2
        lost = await self._give_up(origin)
        waiting = sum([feed.waiting for feed in await self._related(origin)])
        return Recovered(size - before, size, waiting, forced, lost)

    async def _require_one_history(self, origin: FeedOrigin) -> feed_pb2.FeedPosition:
        """Step 3."""
        position = await position_at(self._peers, origin, origin.recipient)
        try:
            await asyncio.to_thread(self._outgoing.agree_on_position, origin, position)
        except FeedBehindError:
            stub = await self._peers.stub(origin.recipient)
            try:
                await require_one_history(stub, self._outgoing, origin, position)
            except grpc.aio.AioRpcError as error:
                raise from_partner(origin.recipient, error) from error
        return position

    async def _give_up(self, origin: FeedOrigin) -> int:
        """Step 4."""
        held = 0
        if origin.channel not in KEPT:
            held = (await self._require_one_history(origin)).size
        feed = await asyncio.to_thread(self._outgoing.made, origin)
        if feed.state is not FeedState.BEHIND or feed.waiting or held > feed.size:
            return 0
        try:
            lost = await self._writer.run(GiveUpCommand(origin))
        except EpochNeededError as error:
            await self._writer.run(StateCommand(origin, FeedState.BEHIND, error.message))
            raise
        return lost

    async def _related(self, origin: FeedOrigin) -> list[Feed]:
        related = () if origin.channel in KEPT else origin.related
        here = await asyncio.to_thread(lambda: [self._outgoing.feed(way) for way in related])
        return [feed for feed in here if feed is not None]

    async def _nothing_more_comes(self, origin: FeedOrigin) -> bool:
        """Whether entries wait although this node holds all of the partner's in each related feed."""
        if not any(feed.waiting for feed in await self._related(origin)):
            return False
        for way in origin.related:
            try:
                theirs = await position_at(self._peers, way, origin.recipient)
            except InvalidRequestError:
                if way.channel in URGENT_ALERTS:  # the partner doesn't know the channel
                    continue
                raise
            if theirs.size > await asyncio.to_thread(self._outgoing.size, way):
                return False
        return True
