"""Converts matches to and from messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from gateway.contract.identification.identifiers import Scheme
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
    """A source that was screened whole; supersedes matches not found again. `gone`: void."""

    source: SourceKey
    gone: bool = False


@dataclass(frozen=True, slots=True)
class NamingAlerts:
    """Alerts, as (publisher, id), of which a revision names what an entry lists; `whole`: all alerts were compared."""

    alerts: tuple[tuple[str, str], ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings of one search step.

    Attributes:
        before, after: cursors at start and end.
        matches: only source, subject, hit and backward are set.
        screened: amended or void sources.
        changed: ended or amended entries.
        naming: by entry that a screened party is identical with: the alerts that name it in any revision.
        not_indexed: number of entries that the index couldn't take.
        ends_reports: all parties were compared with the changes of lists; the node sets it.
    """

    before: Mapping[str, int]
    after: Mapping[str, int]
    matches: Sequence[match_pb2.Match] = ()
    screened: Sequence[ScreenedSource] = ()
    changed: Sequence[EntryKey] = ()
    more: bool = field(default=False)
    naming: Mapping[EntryKey, NamingAlerts] = field(default_factory=dict)
    not_indexed: int = 0
    ends_reports: bool = False

    @property
    def has_findings(self) -> bool:
        """Whether to store more than the cursors."""
        return bool(self.matches or self.screened or self.changed or self.ends_reports)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What entries that aren't in force yet would have matched.

    Attributes:
        matches: of each entry, in order.
        shipments: that they were compared with; `alerts` likewise.
        since_ms: when the oldest of these was declared or published, in milliseconds since 1970; 0 without any.
    """

    matches: Sequence[int]
    shipments: int
    alerts: int
    since_ms: int


def found_match(
    place: MatchPlace, subject: screening_pb2.ScreeningSubject, hit: screening_pb2.ScreeningHit, *, backward: bool
) -> match_pb2.Match:
    """Makes a match from a hit."""
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
    """The key of the hit's entry."""
    return EntryKey(hit.entry.publisher, hit.entry.list, hit.entry.id)


def match_key(match: match_pb2.Match) -> bytes:
    """SHA-256 of source, entry and the two writings that agree; amendments elsewhere make no new match."""
    why = match.hit.explanation
    parts = [*place_of(match.source).source, *entry_of(match.hit), _writing(why.given), _writing(why.listed)]
    return sha256(json.dumps(parts).encode()).digest()


def _writing(text: str) -> str:
    """Explanations of identifiers without a scheme may start with a colon."""
    return text.removeprefix(":")


def is_listed(listed: str, content: watchlist_pb2.WatchlistContent) -> bool:
    """Whether an entry still has the writing; a commodity's ends with the code."""
    text = _writing(listed)
    writings = {
        *(name.text for name in content.names),
        *(f"{identifier.scheme}:{identifier.value}" for identifier in content.identifiers),
        *(", ".join(filter(None, (address.street, address.city))) for address in content.addresses),
    }
    return text in writings or text.rpartition(" ")[2] in {commodity.code for commodity in content.commodities}


def party_of(subject: screening_pb2.ScreeningSubject) -> party_pb2.Party | None:
    """The party of a hit report; None if inexpressible (a vehicle known by plate alone)."""
    names = [*subject.names, *(party_pb2.Name(text=text) for text in subject.vessels)]
    identifiers = [
        *subject.identifiers,
        *(party_pb2.Identifier(scheme=Scheme.CONTAINER.value, value=number) for number in subject.containers),
    ]
    if not (names or identifiers):
        return None
    return party_pb2.Party(names=names[:32], identifiers=identifiers[:32], addresses=subject.addresses)
