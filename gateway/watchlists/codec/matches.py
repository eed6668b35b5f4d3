"""Converts matches to and from messages, and says when two findings are the same match."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from gateway.contract.identifiers import Scheme
from gateway.v1 import match_pb2, party_pb2, screening_pb2, watchlist_pb2
from gateway.watchlists.rules.matches import EntryKey, MatchPlace, MatchStatus, SourceKey, SourceKind

SOURCE_KINDS = {
    SourceKind.ALERT: match_pb2.MATCH_SOURCE_KIND_ALERT,
    SourceKind.SHIPMENT: match_pb2.MATCH_SOURCE_KIND_SHIPMENT,
    SourceKind.SCREENED: match_pb2.MATCH_SOURCE_KIND_SCREENED,
}
STATUSES = {
    MatchStatus.OPEN: match_pb2.MATCH_STATUS_OPEN,
    MatchStatus.CONFIRMED: match_pb2.MATCH_STATUS_CONFIRMED,
    MatchStatus.DISMISSED: match_pb2.MATCH_STATUS_DISMISSED,
    MatchStatus.SUPERSEDED: match_pb2.MATCH_STATUS_SUPERSEDED,
}
_KINDS = {number: kind for kind, number in SOURCE_KINDS.items()}


@dataclass(frozen=True, slots=True)
class ScreenedSource:
    """A source whose parties were all screened, so that what wasn't found any more doesn't hold; `gone`: it is void."""

    source: SourceKey
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What one step of the search found.

    Attributes:
        before, after: cursors with which the step began and to which it came.
        matches: each with source, subject, hit and backward; the rest is given when it is kept.
        screened: sources that were amended or are void, and were screened whole.
        changed: entries that have ended or were amended.
        more: there is more to do at once.
    """

    before: Mapping[str, int]
    after: Mapping[str, int]
    matches: Sequence[match_pb2.Match] = ()
    screened: Sequence[ScreenedSource] = ()
    changed: Sequence[EntryKey] = ()
    more: bool = field(default=False)

    @property
    def says_something(self) -> bool:
        """Whether there is more to keep than how far was looked."""
        return bool(self.matches or self.screened or self.changed)


def found_match(
    place: MatchPlace, subject: screening_pb2.ScreeningSubject, hit: screening_pb2.ScreeningHit, *, backward: bool
) -> match_pb2.Match:
    """A match as it is found."""
    return match_pb2.Match(source=source_message(place), subject=subject, hit=hit, backward=backward)


def source_message(place: MatchPlace) -> match_pb2.MatchSource:
    """A place as a message."""
    return match_pb2.MatchSource(
        kind=SOURCE_KINDS[place.source.kind],
        publisher=place.source.publisher,
        id=place.source.id,
        revision=place.revision,
        field=place.field,
    )


def place_of(source: match_pb2.MatchSource) -> MatchPlace:
    """A message as a place."""
    return MatchPlace(SourceKey(_KINDS[source.kind], source.publisher, source.id), source.revision, source.field)


def entry_of(hit: screening_pb2.ScreeningHit) -> EntryKey:
    """The entry of a hit."""
    return EntryKey(hit.entry.publisher, hit.entry.list, hit.entry.id)


def match_key(match: match_pb2.Match) -> bytes:
    """SHA-256 of what a match is about: source, entry, and the two writings that agree.

    So an amendment that leaves these as they are, of the source or the entry, makes no new match, and one that brings
    another writing does.
    """
    why = match.hit.explanation
    parts = [*place_of(match.source).source, *entry_of(match.hit), _writing(why.given), _writing(why.listed)]
    return sha256(json.dumps(parts).encode()).digest()


def _writing(text: str) -> str:
    """A writing as an explanation has it: of an identifier without a scheme some have the colon and some don't."""
    return text.removeprefix(":")


def is_listed(listed: str, content: watchlist_pb2.WatchlistContent) -> bool:
    """Whether an entry still has the writing that an explanation names; a commodity's ends with the code."""
    text = _writing(listed)
    writings = {
        *(name.text for name in content.names),
        *(f"{each.scheme}:{each.value}" for each in content.identifiers),
        *(", ".join(filter(None, (each.street, each.city))) for each in content.addresses),
    }
    return text in writings or text.rpartition(" ")[2] in {each.code for each in content.commodities}


def party_of(subject: screening_pb2.ScreeningSubject) -> party_pb2.Party | None:
    """A subject as the party of a hit report; None when a party can't say what it is (a vehicle by its plate alone)."""
    names = [*subject.names, *(party_pb2.Name(text=text) for text in subject.vessels)]
    identifiers = [
        *subject.identifiers,
        *(party_pb2.Identifier(scheme=Scheme.CONTAINER.value, value=number) for number in subject.containers),
    ]
    if not (names or identifiers):
        return None
    return party_pb2.Party(names=names[:32], identifiers=identifiers[:32], addresses=subject.addresses)
