"""What a durable transaction has changed, as this process's tasks and other replicas hear of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.contract.ids import FeedOrigin
from gateway.errors import GatewayError, MalformedError
from gateway.feed.service.writing.transaction import EntryPosition, PlacedEntry, SealedEntries

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

CASEWORK: Final = "casework"
"""Topic: the inbox has changed, or what colleagues do with alerts; that is in no feed."""

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
