"""Finds matches: new parties against all lists, and new entries against earlier parties.

watchlists.commands.matches keeps the findings and moves the progress in one transaction. So every party is compared
with every entry, wherever the process ends:

* A party is remembered before it is sought, and an entry is compared with what is remembered after the index has it. So
  of a party and an entry that come at the same time at least one finds the other.
* The parties of before are read from the database when a process begins, while new ones are sought already. When all
  are there, the changes after the lists' cursor are compared with them.
* What was there before the first list is never sought: the first list is compared with it.
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
from gateway.watchlists.service.match_sources import SOURCES, MatchSource, SourceItem
from gateway.watchlists.service.recent_parties import RECENT_PARTIES, parties_of
from gateway.watchlists.service.screening import Screener
from gateway.watchlists.tables.matches import LISTS

log = logging.getLogger(__name__)

FOLLOW_S = 1.0
"""How long one step takes in changes of the lists, in seconds: new alerts wait so long while a long list comes."""

REMEMBER_S = 1.0
"""How long one step reads parties of before, in seconds: at a start new alerts wait so long at most for their turn."""

BACKWARD_S = 1.0
"""How long one step compares entries with parties of before, in seconds."""

EVENTS_AT_ONCE = 50
"""Steps of alerts, or of what else is a source, whose parties are screened in one step."""

HITS_OF_A_PARTY = 20
"""Entries that are matches of one party, the best ones: more than so many are only one very common name."""


class MatchSearch:
    """The search of one process. Not thread-safe; its screener may be used by others meanwhile."""

    def __init__(self, database: Database, screener: Screener, *, sources: Sequence[MatchSource] = SOURCES) -> None:
        """Reads nothing yet."""
        self._database = database
        self._screener = screener
        self._sources = sources
        self._heads: dict[str, int] | None = None
        self._older: Iterator[SourceItem] = iter(())
        self._loaded = False
        self._compared = False

    def step(self, cursors: Mapping[str, int], *, at_ms: int) -> Findings:
        """Does a bounded part of what there is to do.

        Args:
            cursors: how far was looked, as last committed.
            at_ms: the time, in milliseconds since 1970.

        Raises:
            StoreUnavailableError: the database can't be read; call again.
        """
        self._screener.follow(FOLLOW_S)
        heads = self._read_heads()
        if any(head < cursors.get(kind, 0) for kind, head in heads.items()):
            return Findings(cursors, cursors)  # projections are built again, and not everything is there yet
        anew = self._compared and LISTS not in cursors  # everything was projected again
        if self._heads is None or anew:
            self._heads, self._older = heads, chain.from_iterable(map(self._newest, self._sources))
            self._loaded = False
        self._compared = LISTS in cursors
        after = dict(cursors)
        found: list[match_pb2.Match] = []
        screened: list[ScreenedSource] = []
        for source in self._sources:
            for item in self._items(source, cursors, after):
                if item.gone or item.revision > 1:  # a first revision leaves nothing behind that held before
                    screened.append(ScreenedSource(item.key, item.gone))
                found += self._screen(item, at_ms)
        more = after != cursors
        if not self._remember_older():
            return Findings(cursors, after, found, screened, more=True)
        first = cursors.get(LISTS, 0)
        if not first and not self._screener.recent:
            after[LISTS] = self._screener.position  # there is nobody with whom to compare
            return Findings(cursors, after, found, screened, more=more)
        back = self._screener.compare_back(first, at_ms=at_ms, within_s=BACKWARD_S)
        after[LISTS] = back.position
        found += [found_match(hit.place, hit.subject, wire.hit_of(hit.hit), backward=True) for hit in back.hits]
        more = more or back.position < self._screener.position
        return Findings(cursors, after, found, screened, back.changed, more=more)

    def _read_heads(self) -> dict[str, int]:
        with self._database.read() as conn:
            return {source.kind: source.head(conn) for source in self._sources}

    def _newest(self, source: MatchSource) -> Iterator[SourceItem]:
        """Items of before, of each kind of source as many as leave room for the others' parties."""
        share = RECENT_PARTIES // len(self._sources)
        parties = 0
        for item in islice(source.newest(self._database), share):
            parties += len(item.subjects)
            if parties > share:
                return
            yield item

    def _remember_older(self) -> bool:
        """Remembers parties of before for a while; True when all that there is room for are remembered."""
        end = time.monotonic() + REMEMBER_S
        for item in self._older:
            if not self._screener.recent.remember_older(item.key, item.revision, parties_of(item.subjects)):
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
        self._screener.recent.remember(item.key, item.revision, parties)
        wanted = [party.sought for party in parties.values()]
        done = self._screener.seek(wanted, at_ms=at_ms, max_hits=HITS_OF_A_PARTY)
        return [
            found_match(MatchPlace(item.key, item.revision, field), party.subject, wire.hit_of(hit), backward=False)
            for (field, party), each in zip(parties.items(), done.found, strict=True)
            for hit in each.hits
        ]
