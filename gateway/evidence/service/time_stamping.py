"""Has receipted checkpoints of own feeds stamped by a time-stamping authority (TSA), over HTTP.

Of a checkpoint only SHA-256 leaves the node. An answer counts when it is for this request, by a certificate of the
settings, and at about this machine's time. A TSA that is away holds up nothing: what is due is read from the database
at each turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from sqlalchemy import Connection

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.limits import MAX_CLOCK_SKEW_MS
from gateway.db.database import Database
from gateway.errors import GatewayError, UnavailableError, VerificationError
from gateway.evidence.codec.time_stamp import MAX_ANSWER_BYTES, MEDIA_TYPES, new_request, verified_answer
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds, heads, time_stamps
from gateway.feed.tables.heads import StoredCheckpoint
from gateway.feed.tables.time_stamps import StoredTimeStamp

ATTEMPT_S: Final = 10.0
"""Seconds for a connection, for each part of an answer, and for all of it."""

AT_ONCE: Final = 20
"""Most requests in a turn: TSAs of the public bound them."""

_GRANTED: Final = 200


@dataclass(frozen=True, slots=True)
class StampPolicy:
    """When a feed is due; `urgent`: that of priority A at each look, whatever the interval."""

    every_ms: int
    urgent: bool


@dataclass(frozen=True, slots=True)
class DueStamp:
    """A checkpoint to be stamped.

    Attributes:
        waits_since: when the first receipt since the feed's last stamp was signed, in milliseconds since 1970.
    """

    feed_id: int
    origin: FeedOrigin
    checkpoint: StoredCheckpoint
    waits_since: int

    @property
    def is_urgent(self) -> bool:
        return self.origin.channel is Channel.ALERTS_A


@dataclass(frozen=True, slots=True)
class StampTurn:
    """What came of a turn: stamps to be kept, and why the others wait; empty where none does."""

    stamps: tuple[StoredTimeStamp, ...]
    problem: str = ""


class TimeStampAuthority:
    """A TSA: one request at a time, to this address alone; redirects aren't followed."""

    def __init__(self, url: str, certificates: Sequence[x509.Certificate], *, clock: Callable[[], int]) -> None:
        self._url = url
        self._certificates = certificates
        self._clock = clock

    @property
    def host(self) -> str:
        """Host and port, without the path."""
        return urlsplit(self._url).netloc

    def stamp(self, data: bytes) -> tuple[bytes, int]:
        """A verified stamp on SHA-256 of the data, and its time in milliseconds since 1970.

        Raises:
            UnavailableError: no answer, or another one than HTTP 200.
            MalformedError, VerificationError: the answer doesn't verify.
        """
        request = new_request(data)
        kept, verified = verified_answer(self._answer(request.encoded), request, self._certificates)
        stamped_at = int(verified.time.timestamp() * 1000)
        ahead_ms = stamped_at - self._clock()
        if abs(ahead_ms) > MAX_CLOCK_SKEW_MS:
            raise VerificationError(f"its clock is {ahead_ms // 1000} s ahead of this one's; check both", step="time")
        return kept, stamped_at

    def _answer(self, request: bytes) -> bytes:
        import httpx  # noqa: PLC0415  80 ms that only nodes with a TSA pay

        deadline = time.monotonic() + ATTEMPT_S
        options: dict[str, Any] = {"trust_env": False, "follow_redirects": False}  # no proxy that nobody configured
        headers = {"Content-Type": MEDIA_TYPES[0], "Accept": MEDIA_TYPES[1]}
        try:
            with (
                httpx.Client(timeout=ATTEMPT_S, **options) as client,
                client.stream("POST", self._url, content=request, headers=headers) as response,
            ):
                if response.status_code != _GRANTED:
                    raise UnavailableError(f"HTTP {response.status_code}")
                return _bounded(response.iter_raw(), deadline)
        except (httpx.HTTPError, OSError) as error:
            raise UnavailableError(" ".join(str(error).split())[:300] or type(error).__name__) from error


class TimeStamping:
    """Finds what is due and has it stamped; for one worker thread at a time."""

    def __init__(self, database: Database, authority: TimeStampAuthority, policy: StampPolicy) -> None:
        self._database = database
        self._authority = authority
        self._policy = policy

    @property
    def target(self) -> str:
        """Host and port of the TSA."""
        return self._authority.host

    def due(self, now_ms: int) -> list[DueStamp]:
        """Checkpoints that are due now, urgent ones first; raises StoreUnavailableError."""
        with self._database.read() as conn:
            found = [due for row in feeds.receipted(conn) if (due := self._due_of(conn, *row, now_ms)) is not None]
        return sorted(found, key=lambda due: (not due.is_urgent, due.waits_since))

    def run(self, due: Sequence[DueStamp]) -> StampTurn:
        """Asks for stamps, up to the first failure: the TSA is away then, or isn't what the settings say."""
        stamps: list[StoredTimeStamp] = []
        for one in due[:AT_ONCE]:
            try:
                stamp, stamped_at = self._authority.stamp(one.checkpoint.cosigned_note)
            except GatewayError as error:
                return StampTurn(tuple(stamps), error.message)
            stamps.append(StoredTimeStamp(one.feed_id, one.checkpoint.size, stamped_at, stamp))
        return StampTurn(tuple(stamps))

    def _due_of(
        self, conn: Connection, feed_id: int, origin: FeedOrigin, receipted_size: int, now_ms: int
    ) -> DueStamp | None:
        newest = time_stamps.newest(conn, feed_id)
        if receipted_size <= newest.size:
            return None
        is_urgent = self._policy.urgent and origin.channel is Channel.ALERTS_A
        if not is_urgent and now_ms - newest.stamped_at < self._policy.every_ms:
            return None
        first = heads.receipted_over(conn, feed_id, newest.size)
        last = heads.checkpoint_at(conn, feed_id, receipted_size)
        if first is None or last is None or not last.receipted_at:
            return None
        return DueStamp(feed_id, origin, last, first.receipted_at)


@dataclass(frozen=True, slots=True)
class KeepTimeStampsCommand:
    """Stores stamps."""

    stamps: tuple[StoredTimeStamp, ...]
    weight: int = field(default=1, init=False)

    def execute(self, tx: Transaction) -> None:
        for stamp in self.stamps:
            time_stamps.add(tx.conn, stamp)


def _bounded(parts: Iterable[bytes], deadline_s: float) -> bytes:
    """An answer within its bounds of bytes and time."""
    found = bytearray()
    for part in parts:
        found += part
        if len(found) > MAX_ANSWER_BYTES:
            raise UnavailableError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > deadline_s:
            raise UnavailableError(f"no whole answer within {ATTEMPT_S:g} s")
    return bytes(found)
