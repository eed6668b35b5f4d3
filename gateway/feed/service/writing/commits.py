"""What a durable transaction has changed, as this process's tasks, other replicas and metrics hear of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from gateway.contract.ids import FeedOrigin
from gateway.db.membership import Membership
from gateway.errors import GatewayError, MalformedError, MarksBehindError
from gateway.feed.service.writing.transaction import EntryPosition, PlacedEntry, SealedEntries, Transaction
from gateway.telemetry.metrics import Metrics

PROJECTED: Final = "projected"
"""Topic: projections have moved, perhaps by an answer alone."""

ALERT_CHANGES: Final = "alert changes"
"""Topic: steps of alerts have been projected."""

FINDINGS: Final = "findings"
"""Topic: a finding was among them."""

LIST_CHANGES: Final = "list changes"
"""Topic: updates of lists have been put in order."""

INDEXED: Final = "indexed"
"""Topic: the index of records has moved; it is in no feed."""

MATCHES: Final = "matches"
"""Topic: matches have changed; they are in no feed."""

VERDICTS: Final = "verdicts"
"""Topic: a report of verdicts that a list's change has changed has ended; it is in no feed."""

CASEWORK: Final = "casework"
"""Topic: the inbox has changed, or what colleagues do with alerts; that is in no feed."""

ACKNOWLEDGEMENTS: Final = "acknowledgements"
"""Topic: an acknowledgement was scheduled; that is in no feed."""

MOST_TRACES: Final = 20
"""Most trace contexts in a notice, so that it stays short; the link's holder lacks those of a larger group."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A durable transaction.

    Attributes:
        feeds: changed feeds.
        urgent: own feeds to send at once.
        sizes: entries in each changed own feed.
        topics: what else has changed.
        unprojected: whether entries may wait for their projection.
        traces: trace contexts of new own entries.
        own_traces: those that don't travel.
        projected: entries that were projected, in this process alone.
        sealed: new own entries, in this process alone; other replicas read them.
    """

    feeds: frozenset[FeedOrigin] = frozenset()
    urgent: frozenset[FeedOrigin] = frozenset()
    sizes: Mapping[FeedOrigin, int] = field(default_factory=dict)
    topics: frozenset[str] = frozenset()
    unprojected: bool = False
    traces: Mapping[EntryPosition, str] = field(default_factory=dict)
    own_traces: Mapping[EntryPosition, str] = field(default_factory=dict)
    projected: Sequence[Sequence[PlacedEntry]] = ()
    sealed: Sequence[SealedEntries] = ()


def encode_notice(commit: Commit) -> str:
    """A commit as another replica reads it."""
    feeds = {
        origin.line: [commit.sizes.get(origin, -1), int(origin in commit.urgent)] for origin in sorted_feeds(commit)
    }
    traces, own_traces = (
        [(position.origin.line, position.index, trace) for position, trace in contexts.items()]
        for contexts in (commit.traces, commit.own_traces)
    )
    traces = traces[:MOST_TRACES]
    own_traces = own_traces[: MOST_TRACES - len(traces)]
    return json.dumps(
        [feeds, sorted(commit.topics), int(commit.unprojected), traces, own_traces], separators=(",", ":")
    )


def decode_notice(notice: str) -> Commit:
    """The commit in a notice.

    Raises:
        MalformedError: it isn't one, as a neighbouring version may write.
    """
    try:
        feeds, topics, unprojected, traces, *later = json.loads(notice)
        by_origin = {FeedOrigin.parse(line): (int(size), bool(urgent)) for line, (size, urgent) in feeds.items()}
        return Commit(
            feeds=frozenset(by_origin),
            urgent=frozenset(origin for origin, (_, urgent) in by_origin.items() if urgent),
            sizes={origin: size for origin, (size, _) in by_origin.items() if size >= 0},
            topics=frozenset(map(str, topics)),
            unprojected=bool(unprojected),
            traces=_contexts(traces),
            own_traces=_contexts(later[0] if later else ()),
        )
    except (ValueError, TypeError, AttributeError, GatewayError) as error:
        raise MalformedError(f"a notice of another replica can't be read: {error}") from error


def _contexts(traces: Iterable[tuple[object, ...]]) -> dict[EntryPosition, str]:
    return {EntryPosition(FeedOrigin.parse(str(line)), int(str(index))): str(trace) for line, index, trace in traces}


def sorted_feeds(commit: Commit) -> list[FeedOrigin]:
    """Changed feeds by name."""
    return sorted(commit.feeds, key=lambda origin: origin.line)


class Announcer:
    """For the writer's thread; `pass_on` is thread-safe."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._listeners: list[Callable[[Commit], None]] = []
        self._commit: Commit | None = None
        self._unmarked: list[Commit] = []  # committed, while their marks failed: not released yet

    def add(self, listener: Callable[[Commit], None]) -> None:
        """Calls `listener` with each commit, of other replicas too, in any thread; it must not block."""
        self._listeners.append(listener)

    def pass_on(self, commit: Commit) -> None:
        """Calls the listeners."""
        for listener in self._listeners:
            listener(commit)

    @contextmanager
    def deferred_until_marked(self) -> Iterator[None]:
        """For one transaction: where its marks fail, its commit is announced with the next one whose marks don't."""
        self._forget()
        try:
            yield
        except MarksBehindError:
            if self._commit is not None:
                self._unmarked.append(self._commit)
            raise

    def _forget(self) -> None:
        self._commit = None

    def stage_notice(self, tx: Transaction, *, projected: bool, unprojected: bool) -> None:
        """Tells other replicas, with the commit; nothing if nothing has changed that anybody waits for."""
        topics = tx.topics | {PROJECTED} if projected else tx.topics
        if not (tx.touched or topics):
            return
        self._commit = Commit(
            frozenset(tx.touched),
            frozenset(tx.urgent),
            tx.sizes,
            frozenset(topics),
            unprojected,
            traces=tx.traces,
            own_traces=tx.own_traces,
            projected=tx.projected,
            sealed=tx.sealed,
        )
        self._membership.tell(tx.conn, partial(encode_notice, self._commit))

    def announce(self) -> None:
        """Tells this process, after the commit."""
        unmarked, self._unmarked = self._unmarked, []
        for commit in unmarked:
            self.pass_on(commit)
        if self._commit is not None:
            self.pass_on(self._commit)


COMMANDS, PROJECTION = "commands", "projection"
"""Kinds of transactions: of commands, and of the projector alone."""


class WriterMetrics:
    """The writer's part of a node's metrics; for its thread."""

    def __init__(self, metrics: Metrics, own_node: str) -> None:
        self._own_node = own_node
        self._entries = metrics.entries
        self._items = metrics.commit_items
        self._seconds = {kind: metrics.commit_seconds.labels(kind) for kind in (COMMANDS, PROJECTION)}
        self._commits = {
            (kind, result): metrics.commits.labels(kind, result)
            for kind in (COMMANDS, PROJECTION)
            for result in ("ok", "failed")
        }

    @contextmanager
    def timed(self, kind: str, items: int | None = None) -> Iterator[None]:
        """Times a transaction, of so many items where it is a group's; an error in the block is a failed one."""
        began = time.perf_counter()
        try:
            yield
        except BaseException:
            self._commits[kind, "failed"].inc()
            raise
        self._seconds[kind].observe(time.perf_counter() - began)
        self._commits[kind, "ok"].inc()
        if items is not None:
            self._items.observe(items)

    def added(self, entries: Mapping[FeedOrigin, int]) -> None:
        """Counts the new entries of a commit, by feed."""
        for origin, number in entries.items():
            outgoing = origin.publisher == self._own_node
            partner = origin.recipient if outgoing else origin.publisher
            self._entries.labels(partner, origin.channel.value, "out" if outgoing else "in").inc(number)
