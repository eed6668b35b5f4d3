"""Fetches later versions of the directory from partners, hands ours to those that can't connect, and serves both.

What authorities revoked by themselves goes the same way.

What is still to be done follows from what each partner has said last and from what is verified here: nothing notes that
something was sent, so nothing can be noted wrongly.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import grpc.aio

from gateway.errors import DirectoryError, GatewayError, PermissionDeniedError
from gateway.feed.rpc.writer_client import set_within
from gateway.feed.service.alarms import DIRECTORY_REFUSED, REVOCATION_REFUSED, Alarms
from gateway.feed.service.partner_directories import PartnerDirectories, PartnerDirectory
from gateway.rpc.beats import beat_in_s
from gateway.rpc.calls import from_rpc_error
from gateway.rpc.peers import Peers
from gateway.trust.service.directory_offers import MAX_OFFERS, MAX_REVOCATIONS, DirectoryState, unverified_digest
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.trust.service.owner_revocations import TrustedRevocation
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub

log = logging.getLogger(__name__)

AGAIN_S = 60.0
"""Seconds until what failed, or was refused, is tried again."""

ASK_EACH_S = 600.0
"""Seconds between questions to all partners, for a replica to which no partner has said anything."""

ANSWER_S = 30.0
"""Longest wait for a version of 1 MiB, in seconds: a line of 300 kbit/s."""

REVOCATIONS_BYTES = 512 * 1024
"""Most bytes of revocations in one message: beside a version of 1 MiB they fit into any gateway's limit."""

MAX_PAGES = 64
"""Most questions for revocations in one exchange, 32 MiB; the next one goes on."""

NO_VERSION_AFTER = 2**63 - 1
"""Greatest number of a version: a question with it is for revocations alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerCalls:
    """Which partners are called about the directory.

    Attributes:
        fetches: whether later versions are fetched and taken as offers at all.
        unreachable: partners that connect to this node alone: it can't ask them.
        cut_off: partners to which this node alone connects: they can't ask it.
    """

    fetches: bool
    unreachable: Collection[str]
    cut_off: Collection[str]


class DirectoryUpdates:
    """The directory's way between this node and its partners, for one event loop."""

    def __init__(
        self,
        *,
        state: Callable[[], DirectoryState],
        offer: Callable[[bytes, str], TrustedDirectory],
        revoke: Callable[[bytes, str], TrustedRevocation],
        calls: PartnerCalls,
        peers: Peers,
        directories: PartnerDirectories,
        alarms: Alarms,
    ) -> None:
        """
        Args:
            offer: verifies and keeps a version that a partner offers; raises DirectoryError. Not for the event loop.
            revoke: the same of what an authority revokes by itself.
        """
        self._state = state
        self._offer = offer
        self._revoke = revoke
        self._calls = calls
        self._peers = peers
        self._directories = directories
        self._alarms = alarms
        self._asked_at_s = 0.0
        self._verifying: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # by partner: one thread for each
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._waiting: set[str] = set()
        self._news = asyncio.Event()
        directories.on_statement(self._news.set)

    async def run(self) -> None:
        """Exchanges versions with partners until cancelled."""
        self._asked_at_s = asyncio.get_running_loop().time()
        try:
            while True:
                self._news.clear()
                try:
                    self._round()
                except Exception:
                    log.exception("versions of the directory weren't exchanged; it is tried again")
                await set_within(self._news, beat_in_s(AGAIN_S))
        finally:
            under_way = list(self._under_way.values())
            for exchange in under_way:
                exchange.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def next_after(self, version: int, *, known: Collection[bytes] = ()) -> pb.GetNextDirectoryResponse:
        """Answers a partner: the first accepted version after one, the digest of that one, and revocations.

        Args:
            known: digests of revocations that the partner has.
        """
        state, has = self._state(), set(known)
        lacked = [one.revocation for one in state.outstanding if one.revocation.digest not in has]
        return pb.GetNextDirectoryResponse(
            note=next((later.note for later in state.history if later.version > version), b""),
            after_digest=next((same.digest for same in state.history if same.version == version), b""),
            revocations=next(_pages(lacked), ()),
        )

    async def take_offer(
        self, partner: str, note: bytes, revocations: Sequence[bytes] = ()
    ) -> pb.OfferDirectoryResponse:
        """Takes a version that a partner hands over, or revocations, which come alone; without either it takes nothing.

        Raises:
            PermissionDeniedError: the settings refuse versions from partners.
            DirectoryError: one of them doesn't verify; revocations that do count.
        """
        if not self._calls.fetches:
            raise PermissionDeniedError("this node takes no directory from partners: directory.from_partners")
        refusal = await self._take_revocations(partner, revocations)
        if note:
            await self._verified(partner, note)
        if refusal is not None:
            raise refusal
        return pb.OfferDirectoryResponse(known_version=self._state().trusted.known_version)

    def _round(self) -> None:
        """Begins an exchange with each partner; one with which the last is under way has its turn after that."""
        now_s = asyncio.get_running_loop().time()
        said = {statement.partner: statement for statement in self._directories.listed()}
        asks_all = now_s >= self._asked_at_s + ASK_EACH_S
        if asks_all:
            self._asked_at_s = now_s
        partners = self._peers.names()
        for alarm in self._alarms.list():  # of partners that the directory doesn't name any more
            of_partner = alarm.code == DIRECTORY_REFUSED or (alarm.code == REVOCATION_REFUSED and alarm.subject)
            if of_partner and alarm.subject not in partners:
                self._alarms.clear(alarm.code, alarm.subject)
        for partner in partners:
            if partner in self._under_way:
                self._waiting.add(partner)
                continue
            exchange = asyncio.create_task(
                self._try_exchange(partner, said.get(partner), asks=asks_all), name=f"directory of {partner}"
            )
            self._under_way[partner] = exchange
            exchange.add_done_callback(partial(self._ended, partner))

    def _ended(self, partner: str, _: asyncio.Task[None]) -> None:
        del self._under_way[partner]
        if partner in self._waiting:
            self._waiting.remove(partner)
            self._news.set()

    async def _try_exchange(self, partner: str, said: PartnerDirectory | None, *, asks: bool) -> None:
        await self._attempt(partner, self._exchange_revocations(partner, said, asks=asks))
        await self._attempt(partner, self._exchange(partner, said, asks=asks))

    async def _attempt(self, partner: str, exchange: Awaitable[object]) -> None:
        try:
            await exchange
        except GatewayError as error:
            log.debug("the directory isn't exchanged with %s: %s", partner, error.message)
        except grpc.aio.AioRpcError as error:  # also a gateway of an earlier release, until it is upgraded
            log.debug("the directory isn't exchanged with %s: %s", partner, from_rpc_error(error).message)
        except Exception:
            log.exception("the directory wasn't exchanged with %s; it is tried again", partner)

    async def _exchange_revocations(self, partner: str, said: PartnerDirectory | None, *, asks: bool) -> None:
        """Before versions: what an owner revokes waits for none of them."""
        own = self._state().trusted.owners_digest
        differs = said is not None and said.revocations_digest not in (b"", own)
        if said is not None and said.revocations_digest == own:
            self._alarms.clear(REVOCATION_REFUSED, partner)
        if self._calls.fetches and partner not in self._calls.unreachable and (differs or asks):
            await self._fetch_revocations(partner)
        if differs and partner in self._calls.cut_off:
            await self._hand_over_revocations(partner)

    async def _exchange(self, partner: str, said: PartnerDirectory | None, *, asks: bool) -> None:
        state = self._state()
        own = state.in_force.version
        if said is not None and state.known(said.digest) is not None:
            self._alarms.clear(DIRECTORY_REFUSED, partner)  # what it offered before isn't what it has now
        if self._calls.fetches and partner not in self._calls.unreachable:
            is_news = said is not None and said.version >= own and state.known(said.digest) is None
            if is_news or asks:
                await self._fetch(partner, own, said if is_news else None)
        if said is not None and partner in self._calls.cut_off and max(said.version, said.known_version) < own:
            await self._hand_over(partner, said.version)

    async def _fetch(self, partner: str, after: int, said: PartnerDirectory | None) -> None:
        """Fetches each later version in turn, and another one of the number in force."""
        stub = await self._peers.stub(partner)
        if said is not None and said.version == after:
            after -= 1
        for _ in range(MAX_OFFERS):
            answer = await _next(stub, after)
            own = next((known.digest for known in self._state().history if known.version == after), b"")
            self._directories.note_past(partner, after, digest=answer.after_digest, own=own)
            if not answer.note:
                break
            version = await self._verified(partner, answer.note)
            if version.version <= after:
                break
            after = version.version

    async def _verified(self, partner: str, note: bytes) -> TrustedDirectory:
        try:
            async with self._verifying[partner]:
                version = await asyncio.to_thread(self._offer, note, partner)
        except DirectoryError as error:
            message = f"a version of the directory that {partner} offers is refused: {error.message}"
            self._alarms.set(DIRECTORY_REFUSED, partner, message)
            raise
        self._alarms.clear(DIRECTORY_REFUSED, partner)
        return version

    async def _fetch_revocations(self, partner: str) -> None:
        """Fetches revocations that this node lacks; one that is refused holds up no other."""
        stub = await self._peers.stub(partner)
        known = {revocation.digest for revocation in self._state().revocations}
        refusal: DirectoryError | None = None
        for _ in range(MAX_PAGES):
            answer = await _next(stub, NO_VERSION_AFTER, known)
            if not answer.revocations:
                break
            refusal = await self._take_revocations(partner, answer.revocations) or refusal
            before = len(known)
            known |= {unverified_digest(note) for note in answer.revocations} - {b""}
            if len(known) == before:  # the partner answers the same again
                break
        if refusal is None:
            self._alarms.clear(REVOCATION_REFUSED, partner)

    async def _take_revocations(self, partner: str, notes: Sequence[bytes]) -> DirectoryError | None:
        """Takes those that verify, of as many as a message has; returns why the last other one is refused."""
        refusal: DirectoryError | None = None
        for note in notes[:MAX_REVOCATIONS]:
            try:
                async with self._verifying[partner]:
                    await asyncio.to_thread(self._revoke, note, partner)
            except DirectoryError as error:
                refusal = error
        if refusal is not None:
            message = f"a revocation that {partner} passes on is refused: {refusal.message}"
            self._alarms.set(REVOCATION_REFUSED, partner, message)
        return refusal

    async def _hand_over_revocations(self, partner: str) -> None:
        """Hands all that count here over; the partner knows which it has."""
        stub, state = await self._peers.stub(partner), self._state()
        for notes in _pages([one.revocation for one in state.outstanding]):
            offer = stub.OfferDirectory(pb.OfferDirectoryRequest(revocations=notes), timeout=ANSWER_S)
            await self._attempt(partner, offer)

    async def _hand_over(self, partner: str, after: int) -> None:
        """Hands each version after the partner's over, in turn."""
        stub = await self._peers.stub(partner)
        for version in [version for version in self._state().history if version.version > after][:MAX_OFFERS]:
            await stub.OfferDirectory(pb.OfferDirectoryRequest(note=version.note), timeout=ANSWER_S)


async def _next(stub: ExchangeServiceStub, after: int, known: Collection[bytes] = ()) -> pb.GetNextDirectoryResponse:
    response: pb.GetNextDirectoryResponse = await stub.GetNextDirectory(
        pb.GetNextDirectoryRequest(after_version=after, known_revocations=sorted(known)), timeout=ANSWER_S
    )
    return response


def _pages(revocations: Sequence[TrustedRevocation]) -> Iterator[list[bytes]]:
    """Their notes, as many in each message as fit."""
    page: list[bytes] = []
    size = 0
    for revocation in revocations:
        if size + len(revocation.note) > REVOCATIONS_BYTES or len(page) == MAX_REVOCATIONS:
            yield page
            page, size = [], 0
        page.append(revocation.note)
        size += len(revocation.note)
    if page:
        yield page
