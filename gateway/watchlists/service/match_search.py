"""Finds matches: new parties against all lists, and new entries against earlier parties.

watchlists.commands.matches stores findings and progress in one transaction. So every party is compared with every
entry, wherever the process ends:

* A party is remembered before it is queried, and an entry is indexed before it is compared. So of a party and an entry
  that come at the same time at least one finds the other.
* At start earlier parties are read from the database while new ones are already queried; then the changes after the
  lists' cursor are compared with them.
* Sources older than the first list aren't queried: the first list is compared with them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from gateway.db.database import Database
from gateway.v1 import match_pb2
from gateway.watchlists.codec import screening as wire
from gateway.watchlists.codec.matches import Findings, ScreenedSource, found_match
from gateway.watchlists.rules.matches import MatchPlace
from gateway.watchlists.service.alert_history import AlertHistory
from gateway.watchlists.service.match_sources import SOURCES, MatchSource, SourceItem
from gateway.watchlists.service.recent_parties import RECENT_PARTIES, parties_of
from gateway.watchlists.service.screening import HITS_OF_A_PARTY, Screener
from gateway.watchlists.tables.matches import LISTS

log = logging.getLogger(__name__)

FOLLOW_S = 1.0
"""Seconds per step to index list changes; delays new alerts."""

REMEMBER_S = 1.0
"""Seconds per step to read earlier parties; delays new alerts at start."""

BACKWARD_S = 1.0
"""Seconds per step to compare entries with earlier parties."""

EVENTS_AT_ONCE = 50
"""Changes of sources screened in one step."""


class MatchSearch:
    """Not thread-safe, but other threads may use its screener."""

    def __init__(self, database: Database, screener: Screener, *, sources: Sequence[MatchSource] = SOURCES) -> None:
        """Reads nothing yet."""
        self._database = database
        self._screener = screener
        self._sources = sources
        self._history = AlertHistory(database)
        self._heads: dict[str, int] | None = None
        self._older: Iterator[SourceItem] = iter(())
        self._loaded = False
        self._compared = False

    def step(self, cursors: Mapping[str, int], *, at_ms: int) -> Findings:
        """Does a bounded part of the search from the committed cursors.

        Args:
            at_ms: milliseconds since 1970.

        Raises:
            StoreUnavailableError: the database can't be read; call again.
        """
        self._screener.follow(FOLLOW_S)
        heads = self._read_heads()
        if any(head < cursors.get(kind, 0) for kind, head in heads.items()):
            return Findings(cursors, cursors)  # projections are being rebuilt and incomplete
        anew = self._compared and LISTS not in cursors  # projections were rebuilt
        if self._heads is None or anew:
            self._heads, self._older = heads, chain.from_iterable(map(self._newest, self._sources))
            self._loaded = False
        self._compared = LISTS in cursors
        after = dict(cursors)
        matches: list[match_pb2.Match] = []
        screened: list[ScreenedSource] = []
        for source in self._sources:
            for item in self._items(source, cursors, after):
                if item.gone or item.revision > 1:  # a first revision supersedes nothing
                    screened.append(ScreenedSource(item.key, item.gone))
                matches += self._screen(item, at_ms)
        more = after != cursors
        if not self._remember_older():
            return Findings(cursors, after, matches, screened, more=True)
        first = cursors.get(LISTS, 0)
        if not first and not self._screener.recent:
            after[LISTS] = self._screener.position  # no parties to compare
            return Findings(cursors, after, matches, screened, more=more)
        back = self._screener.compare_back(first, at_ms=at_ms, within_s=BACKWARD_S)
        after[LISTS] = back.position
        matches += [found_match(hit.place, hit.subject, wire.hit_of(hit.hit), backward=True) for hit in back.hits]
        more = more or back.position < self._screener.position
        naming = {key: self._history.naming(record, self._screener.limits) for key, record in back.screened.items()}
        return Findings(cursors, after, matches, screened, back.changed, more=more, naming=naming)

    def _read_heads(self) -> dict[str, int]:
        with self._database.read() as conn:
            return {source.kind: source.head(conn) for source in self._sources}

    def _newest(self, source: MatchSource) -> Iterator[SourceItem]:
        """Earlier items; the kinds of source share the room."""
        share = RECENT_PARTIES // len(self._sources)
        parties = 0
        for item in islice(source.newest(self._database), share):
            parties += len(item.subjects)
            if parties > share:
                return
            yield item

    def _remember_older(self) -> bool:
        """Remembers earlier parties for a while; True when done or full."""
        end = time.monotonic() + REMEMBER_S
        for item in self._older:
            if not self._screener.recent.remember_older(
                item.key, item.revision, parties_of(item.subjects), at_ms=item.at_ms
            ):
                self._older = iter(())
            if time.monotonic() > end:
                return False
        if not self._loaded:
            log.info("%d parties of before are remembered", len(self._screener.recent))
            self._loaded = True
        return True

    def _items(self, source: MatchSource, cursors: Mapping[str, int], after: dict[str, int]) -> list[SourceItem]:
        assert self._heads is not None  # noqa: S101  set by step
        position = cursors.get(source.kind)
        if position is None and not cursors.get(LISTS):
            after[source.kind] = self._heads[source.kind]  # all lists are yet to be compared with these
            return []
        with self._database.read() as conn:
            items, after[source.kind] = source.after(conn, position or 0, EVENTS_AT_ONCE)
        return items

    def _screen(self, item: SourceItem, at_ms: int) -> list[match_pb2.Match]:
        parties = parties_of(item.subjects)
        self._screener.recent.remember(item.key, item.revision, parties, at_ms=item.at_ms)
        wanted = [party.sought for party in parties.values()]
        done = self._screener.seek(wanted, at_ms=at_ms, max_hits=HITS_OF_A_PARTY)
        return [
            found_match(MatchPlace(item.key, item.revision, field), party.subject, wire.hit_of(hit), backward=False)
            for (field, party), match in zip(parties.items(), done.found, strict=True)
            for hit in match.hits
        ]
