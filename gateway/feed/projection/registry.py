"""Registers projections by channel; gateway.node.projections lists them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from google.protobuf.message import Message
from sqlalchemy import Connection, Table, delete

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import GatewayError
from gateway.feed.codec import FORMAT, EncodedEntry, EntryFormat
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables.feeds import Feed

MOST_ANSWER_BYTES = 512
"""A disposition without refusals is shorter, an alert mostly longer: it isn't parsed for this."""


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """An entry of the local log, as projections get it.

    Attributes:
        position: in the local log.
        committed_at: when it entered the local log, in milliseconds since 1970.
        event: None when it was erased or can't be read.
        error: why it can't be read.
    """

    position: int
    committed_at: int
    feed: Feed
    index: int
    event: Message | None
    error: GatewayError | None = None


class Projection(ABC):
    """Tables that are built from entries and can be rebuilt.

    Used in the writer's thread and transactions alone: tables, progress and dispositions move together.

    Attributes:
        formats: one per channel.
        tables: what `clear` empties, in an order that foreign keys allow.
        follows: built behind the others, by work of its own; not complete when all entries are projected.
    """

    formats: Sequence[EntryFormat] = ()
    tables: Sequence[Table] = ()
    follows: bool = False

    def clear(self, conn: Connection) -> None:
        """Empties the tables; a projection with progress resets that too."""
        for table in self.tables:
            conn.execute(delete(table))

    def begin(self, tx: Transaction, entries: Sequence[LoggedEntry]) -> None:
        """Reads what the next entries need in few statements, before `apply` for each."""
        return

    @abstractmethod
    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Applies one entry that has an event.

        Raises:
            GatewayError: the entry isn't applied, and nothing of it was written; its partner gets the reason.
        """

    def finish(self, tx: Transaction) -> None:
        """Writes what `apply` gathered, in few statements."""
        return

    def advance(self, tx: Transaction) -> bool:
        """Does work beyond entries when none is left to apply; True when more may be left."""
        return False

    @property
    def advances(self) -> bool:
        """Whether entries make work for `advance`."""
        return type(self).advance is not Projection.advance

    def has_applied(self, conn: Connection, feed_id: int, index: int) -> bool:
        """Whether a formerly held entry has been applied."""
        return False


class Registry:
    """The projections of a node.

    Raises:
        ValueError: two projections name one channel, or a channel has none.
    """

    def __init__(self, projections: Iterable[Projection]) -> None:
        self.projections = tuple(projections)
        self._by_channel: dict[Channel, Projection] = {}
        formats: dict[Channel, EntryFormat] = {}
        for projection in self.projections:
            for entry_format in projection.formats:
                if entry_format.channel in formats:
                    raise ValueError(f"channel {entry_format.channel.value} has two projections")
                formats[entry_format.channel] = entry_format
                self._by_channel[entry_format.channel] = projection
        missing = [channel.value for channel in Channel if channel not in formats]
        if missing:
            raise ValueError(f"no projection for channel {', '.join(missing)}; node.projections lists them")
        self.formats: Mapping[Channel, EntryFormat] = formats

    @property
    def tables(self) -> tuple[Table, ...]:
        return tuple(table for projection in self.projections for table in projection.tables)

    @property
    def knowledge(self) -> bytes:
        """SHA-256 of the known kinds of entries; entries of other kinds are held."""
        known = " ".join(f"{one.type_name} {','.join(one.kinds)}" for one in self.formats.values())
        return sha256(f"{FORMAT} {known}".encode()).digest()

    def is_answer(self, origin: FeedOrigin, entry: EncodedEntry) -> bool:
        """Whether an entry is a disposition; False for what can't be read."""
        entry_format = self.formats[origin.channel]
        if len(entry.payload) > MOST_ANSWER_BYTES or entry_format.make_disposition is None:
            return False
        try:
            event = entry_format.parse(entry.header, entry.payload)
        except GatewayError:
            return False
        return event is not None and entry_format.disposition_of(event) is not None

    def of_channel(self, channel: Channel) -> Projection:
        return self._by_channel[channel]

    def clear(self, conn: Connection) -> None:
        for projection in self.projections:
            projection.clear(conn)
