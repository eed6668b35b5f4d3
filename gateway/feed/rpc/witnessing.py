"""Cosigns partners' feeds as a witness, and has own feeds cosigned by the witnesses that the directory names."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import grpc.aio
from sqlalchemy import Connection

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.validation import validate
from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.errors import (
    GatewayError,
    MalformedError,
    NotFoundError,
    ProofInvalidError,
    SignatureInvalidError,
    UnavailableError,
)
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.alarms import WITNESS, WITNESS_CONFLICT, Alarms
from gateway.feed.service.witnessing import Witness, policy_of, third_witnesses, witness_key_name
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds, heads, witnesses
from gateway.feed.tables.heads import StoredCheckpoint, StoredTiles
from gateway.feed.tables.witnesses import StoredCosignature
from gateway.plurals import counted
from gateway.rpc.calls import current_call, from_partner
from gateway.rpc.peers import Peers
from gateway.telemetry.metrics import Metrics
from gateway.tlog.consistency_file import ConsistencyProof
from gateway.tlog.merkle import consistency_proof
from gateway.tlog.note import parse_note, parse_signature_line
from gateway.tlog.policy import WitnessPolicy
from gateway.trust.rules.directory import Directory
from gateway.v1 import exchange_service_pb2 as pb

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
"""Seconds between two looks: a receipt of an urgent alert is cosigned within a minute."""

QUIET_S: Final = 60.0
"""Seconds between looks at a database to which nothing was committed."""

LONGEST_PAUSE_S: Final = 300.0
"""Most seconds until a witness that failed is asked again; the pause doubles from LOOK_S."""

ANSWER_S: Final = 30.0
"""Longest wait for a witness's answer, in seconds."""

_MINUTE_MS: Final = 60_000


class WitnessServer:
    """Answers partners as a witness, where this node has a key for that."""

    def __init__(
        self,
        node: str,
        witness: Witness | None,
        *,
        database: Database,
        writer: WriterClient,
        alarms: Alarms,
        clock: Callable[[], int],
    ) -> None:
        self._node = node
        self._witness = witness
        self._writer = writer
        self._alarms = alarms
        self._clock = clock
        with database.read() as conn:
            for conflict in witnesses.conflicts(conn):
                self._alarm(conflict.origin)

    async def answer(self, request: pb.AddCheckpointRequest) -> pb.AddCheckpointResponse:
        """Answers a partner.

        Raises:
            NotFoundError: this node is no witness.
            GatewayError: as gateway.feed.service.witnessing says.
        """
        validate(request)
        if self._witness is None:
            raise NotFoundError(f"{self._node} is no witness: it has no keys.witness")
        call = current_call()
        call.record(repeatable=True)
        now_ms = self._clock()
        command = await asyncio.to_thread(self._witness.prepare, call.principal.node, request.body, now_ms=now_ms)
        call.record(subject_ids=[command.shown.origin])
        result = await self._writer.run(command)
        if isinstance(result, ProofInvalidError):
            self._alarm(command.shown.origin)
            raise result
        if not result.is_asked:
            return pb.AddCheckpointResponse(size=result.size)
        lines = await asyncio.to_thread(self._witness.cosign, command, now_ms=self._clock())
        return pb.AddCheckpointResponse(size=result.size, cosignature=lines)

    def _alarm(self, origin: str) -> None:
        message = f"the publisher shows two histories of {origin}, or no proof that they are one; both are kept"
        self._alarms.set(WITNESS_CONFLICT, origin, message)


@dataclass(frozen=True, slots=True)
class WitnessBounds:
    """Milliseconds between a witness's cosignatures on a feed, and for which it may fail before that is an alarm."""

    every_ms: int
    alarm_after_ms: int


@dataclass(frozen=True, slots=True)
class DueCosignature:
    """A checkpoint that a witness is to cosign; `waits_since`: milliseconds since 1970."""

    feed_id: int
    origin: FeedOrigin
    checkpoint: StoredCheckpoint
    witnessed_size: int
    waits_since: int


@dataclass(frozen=True, slots=True)
class KeepCosignatureCommand:
    """Stores a cosignature."""

    cosignature: StoredCosignature
    weight: int = field(default=1, init=False)

    def execute(self, tx: Transaction) -> None:
        witnesses.add_cosignature(tx.conn, self.cosignature)


class WitnessCollector:
    """Has receipted checkpoints of own feeds cosigned, until cancelled. A witness that is away holds up nothing."""

    def __init__(
        self,
        bounds: WitnessBounds,
        *,
        federation: str,
        directory: Callable[[], Directory],
        database: Database,
        writer: WriterClient,
        peers: Peers,
        alarms: Alarms,
        metrics: Metrics,
        clock: Callable[[], int],
    ) -> None:
        self._bounds = bounds
        self._federation = federation
        self._directory = directory
        self._database = database
        self._writer = writer
        self._peers = peers
        self._alarms = alarms
        self._metrics = metrics
        self._clock = clock
        self._failures: Counter[str] = Counter()
        self._again_at_s: dict[str, float] = {}
        self._ages_ms: dict[str, int] = {}

    async def run(self) -> None:
        """Runs for one replica."""
        news = NewsSince(self._database.commits, most_s=QUIET_S)
        while True:
            try:
                if news.is_due:
                    await self._turn()
                    if not any(self._ages_ms.values()):
                        news.looked()
            except GatewayError as error:
                log.warning("cosignatures of witnesses wait: %s", error.message)
            await asyncio.sleep(LOOK_S)

    async def _turn(self) -> None:
        directory = self._directory()
        policy = self._policy(directory)
        nodes = [] if policy is None else self._witness_nodes(policy)
        for alarm in self._alarms.list():
            if alarm.code == WITNESS and alarm.subject not in (*nodes, ""):
                self._alarms.clear(WITNESS, alarm.subject)
        for node in self._ages_ms.keys() - {*nodes}:
            del self._ages_ms[node]
        if policy is not None:
            await asyncio.gather(*(self._try(node, policy) for node in nodes))
        self._metrics.witness_lag.set(max(self._ages_ms.values(), default=0) / 1000)

    async def _try(self, node: str, policy: WitnessPolicy) -> None:
        """One that fails is asked less often, and holds up no other."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._again_at_s.get(node, 0.0):
            return
        self._ages_ms[node] = await self._ask_all(node, policy)
        if not self._ages_ms[node]:
            self._failures.pop(node, None)
            return
        self._failures[node] += 1
        self._again_at_s[node] = now_s + min(LOOK_S * 2.0 ** self._failures[node], LONGEST_PAUSE_S)

    def _policy(self, directory: Directory) -> WitnessPolicy | None:
        """The directory's; None without one, and with an alarm where it can't be read."""
        try:
            policy = policy_of(directory)
        except MalformedError as error:
            message = f"the directory's policy of witnesses can't be read, so nobody is asked: {error.message}"
            self._alarms.set(WITNESS, "", message)
            return None
        self._alarms.clear(WITNESS, "")
        return policy

    def _witness_nodes(self, policy: WitnessPolicy) -> list[str]:
        names = {key.name for key in policy.witnesses.values()}
        federation = self._federation
        return [node for node in self._peers.names() if witness_key_name(federation, node) in names]

    async def _ask_all(self, node: str, policy: WitnessPolicy) -> int:
        """Has everything cosigned that a node is due to, up to a failure; returns the age of what waits, in ms."""
        due = await asyncio.to_thread(self._due, node, policy)
        for number, one in enumerate(due):
            try:
                await self._writer.run(KeepCosignatureCommand(await self._ask(node, one, policy)))
            except GatewayError as error:
                return self._failed(node, due[number:], error.message)
        self._alarms.clear(WITNESS, node)
        return 0

    def _failed(self, node: str, waiting: list[DueCosignature], why: str) -> int:
        age_ms = max(1, *(self._clock() - one.waits_since for one in waiting))
        log.warning("no cosignature from the witness %s: %s", node, why)
        if age_ms >= self._bounds.alarm_after_ms:
            message = f"feeds wait for the witness {node} for {age_ms // _MINUTE_MS} min: {why}"
            self._alarms.set(WITNESS, node, message)
        return age_ms

    def _due(self, node: str, policy: WitnessPolicy) -> list[DueCosignature]:
        """Urgent ones first."""
        with self._database.read() as conn:
            due = list(self._due_of(conn, witness_key_name(self._federation, node), policy))
        return sorted(due, key=lambda one: (one.origin.channel is not Channel.ALERTS_A, one.waits_since))

    def _due_of(self, conn: Connection, witness: str, policy: WitnessPolicy) -> Iterator[DueCosignature]:
        every_ms, now = self._bounds.every_ms, self._clock()
        for feed_id, origin, receipted in feeds.receipted(conn):
            third = {policy.witnesses[name].name for name in third_witnesses(policy, origin)}
            size, cosigned_at = witnesses.newest(conn, feed_id, witness)
            is_former = origin.recipient not in self._directory().nodes
            is_early = origin.channel is not Channel.ALERTS_A and now - cosigned_at < every_ms
            if witness not in third or receipted <= size or is_early or is_former:
                continue
            first = heads.receipted_over(conn, feed_id, size)
            last = heads.checkpoint_at(conn, feed_id, receipted)
            if first is not None and last is not None:
                yield DueCosignature(feed_id, origin, last, size, first.receipted_at)

    async def _ask(self, node: str, due: DueCosignature, policy: WitnessPolicy) -> StoredCosignature:
        """A verified cosignature; asks again from the size that the witness says, once."""
        stub = await self._peers.stub(node)
        size = due.checkpoint.size
        response = pb.AddCheckpointResponse(size=due.witnessed_size)
        for _ in range(2):
            if response.size > size:
                raise UnavailableError(
                    f"it has cosigned {counted(response.size, 'entry')} of {due.origin}, of {size} here"
                )
            request = pb.AddCheckpointRequest(body=await asyncio.to_thread(self._body, due, response.size))
            try:
                response = await stub.AddCheckpoint(request, timeout=ANSWER_S)
            except grpc.aio.AioRpcError as error:
                raise from_partner(node, error) from error
            if response.cosignature:
                return self._verified(node, due, response.cosignature, policy)
        raise UnavailableError(f"it says another size of {due.origin} each time")

    def _body(self, due: DueCosignature, old_size: int) -> bytes:
        with self._database.read() as conn:
            hashes = (
                consistency_proof(old_size, due.checkpoint.size, StoredTiles(conn, due.feed_id)) if old_size else []
            )
        return ConsistencyProof(old_size, tuple(hashes), due.checkpoint.note).encode()

    def _verified(self, node: str, due: DueCosignature, lines: bytes, policy: WitnessPolicy) -> StoredCosignature:
        name = witness_key_name(self._federation, node)
        signed = [parse_signature_line(line) for line in lines.splitlines(keepends=True)]
        text = parse_note(due.checkpoint.note).unverified_text
        counting = [one for one in policy.verified(text, signed).values() if one[0].name == name]
        if not counting:
            raise SignatureInvalidError(f"{node} has cosigned with no key that the directory's policy names")
        kept = b"".join(line.line() for line, _ in counting)
        cosigned_at = max(timestamp for _, timestamp in counting) * 1000
        return StoredCosignature(due.feed_id, due.checkpoint.size, name, cosigned_at, kept)
