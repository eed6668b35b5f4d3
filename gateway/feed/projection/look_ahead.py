"""Has the next entries of partners parsed and checked elsewhere while those before are applied.

Checks need nothing but the payload, and are most of what a projection costs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.contract.ids import Channel
from gateway.contract.validation import violations
from gateway.errors import GatewayError, Violation
from gateway.feed.codec import EntryFormat
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import Feed, StoredEntry

log = logging.getLogger(__name__)

AHEAD_BYTES = 4 * 1024 * 1024
"""Most bytes of payloads that are being checked: some forty updates of lists."""

AHEAD_ENTRIES = 2_000
"""Most entries of these."""

GROUP_ITEMS = 100
"""Most items of the entries in one call."""

WAIT_S = 1.0
"""Seconds to wait for a check, in the transaction, in which nobody else can write; then it is done here."""

PAUSE_S = 30.0
"""Seconds without checks elsewhere after one came too late: by then a process that hangs was killed."""


@dataclass(frozen=True, slots=True)
class CheckedEntry:
    """What a check found.

    Attributes:
        violations: of the contract's rules.
        prepared: what the channel's projection applies instead of reading the event; None for nothing.
    """

    violations: Sequence[Violation] = ()
    prepared: Any = None


Prepare = Callable[[Any], Any]
"""Reads from an event, without violations, what its projection applies; picklable, None for nothing."""


class EntryCheck:
    """The check of entries, in whatever process. Pure."""

    def __init__(self, formats: Mapping[Channel, EntryFormat], prepare: Mapping[Channel, Prepare]) -> None:
        self._formats = formats
        self._prepare = prepare

    def __call__(self, channel: str, payloads: Sequence[bytes]) -> list[CheckedEntry]:
        """Checks payloads that can be parsed."""
        of = Channel(channel)
        return [self.checked(of, self._formats[of].message.FromString(payload)) for payload in payloads]

    def checked(self, channel: Channel, event: Message) -> CheckedEntry:
        """Checks one event."""
        broken = violations(event)
        prepare = self._prepare.get(channel)
        return CheckedEntry(broken, prepare(event) if prepare is not None and not broken else None)


class BeginCheck(Protocol):
    """Passes payloads of a channel to another process, in the turn of a caller; None where there is none."""

    def __call__(
        self, channel: str, payloads: Sequence[bytes], *, caller: str
    ) -> Future[list[CheckedEntry]] | None: ...


@dataclass(frozen=True, slots=True)
class _Begun:
    answer: Future[list[CheckedEntry]]
    ordinal: int
    payload: bytes


class LookAhead:
    """Checks under way, in the writer's thread alone. It holds nothing that isn't in the database."""

    def __init__(self, begin: BeginCheck) -> None:
        self._begin = begin
        self._begun: dict[int, _Begun] = {}
        self._bytes = 0
        self._feed_id = 0
        self._next = 0
        self._paused_until = 0.0

    def fill(self, conn: Connection, feed: Feed, first: int, *, at_once: int) -> None:
        """Begins checks of entries of the local log, but for those from `first` on that are applied right now.

        Args:
            at_once: entries that are read, checked and passed at once.
        """
        if feed.id != self._feed_id or first not in self._begun:  # another feed, or another place in it
            self._forget()
            self._feed_id, self._next = feed.id, first + at_once
        if time.monotonic() < self._paused_until:
            return
        while self._next < feed.journaled_size and self._bytes < AHEAD_BYTES and len(self._begun) < AHEAD_ENTRIES:
            entries = feeds.read_entries(conn, feed.id, self._next, min(feed.journaled_size, self._next + at_once))
            answer = self._begin(feed.origin.channel.value, [e.payload for e in entries], caller=feed.partner)
            if answer is None:
                return
            for ordinal, entry in enumerate(entries):
                self._begun[entry.index] = _Begun(answer, ordinal, entry.payload)
                self._bytes += len(entry.payload)
            self._next += len(entries)

    def take(self, feed_id: int, entry: StoredEntry) -> CheckedEntry | None:
        """What was found of an entry; None where it has to be checked here."""
        begun = self._begun.pop(entry.index, None) if feed_id == self._feed_id else None
        if begun is None:
            return None
        self._bytes -= len(begun.payload)
        if begun.payload != entry.payload:  # erased since, or read in a transaction that was rolled back
            return None
        try:
            return begun.answer.result(WAIT_S)[begun.ordinal]
        except GatewayError as error:
            log.warning("entries are checked in the node: %r", error)
        except TimeoutError:
            log.warning("entries are checked in the node for %d s: another process is too slow", PAUSE_S)
            self._paused_until = time.monotonic() + PAUSE_S
            self._forget()
        return None

    def _forget(self) -> None:
        self._begun.clear()
        self._bytes = 0
