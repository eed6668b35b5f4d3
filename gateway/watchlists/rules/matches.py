"""States and decisions of matches, and automatic reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from gateway.errors import IllegalTransitionError


class SourceKind(StrEnum):
    """Kind of document that names a party."""

    ALERT = "alert"
    SHIPMENT = "shipment"
    SCREENED = "screened"
    """From an own system, with a reference."""


class SourceKey(NamedTuple):
    """A source: kind, publishing node, id."""

    kind: SourceKind
    publisher: str
    id: str


class MatchPlace(NamedTuple):
    """A party's source, revision, and path in the content."""

    source: SourceKey
    revision: int = 0
    field: str = ""


class EntryKey(NamedTuple):
    """An entry of a list."""

    publisher: str
    list: str
    id: str


class MatchStatus(StrEnum):
    """Status of a match."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    SUPERSEDED = "superseded"
    """It stopped holding before a decision."""


class MatchDecision(StrEnum):
    """A person's decision on a match."""

    CONFIRM = "confirm"
    DISMISS = "dismiss"


DECISIONS: Mapping[tuple[MatchStatus, MatchDecision], MatchStatus] = MappingProxyType(
    {
        (MatchStatus.OPEN, MatchDecision.CONFIRM): MatchStatus.CONFIRMED,
        (MatchStatus.OPEN, MatchDecision.DISMISS): MatchStatus.DISMISSED,
        (MatchStatus.DISMISSED, MatchDecision.CONFIRM): MatchStatus.CONFIRMED,
    }
)
"""A dismissed match may be confirmed later; the entry's owner answers a reported hit."""


def decided(status: MatchStatus, decision: MatchDecision) -> MatchStatus:
    """The status after a decision; raises IllegalTransitionError."""
    new_status = DECISIONS.get((status, decision))
    if new_status is None:
        text = f"the match is {status.value}: it can't be {decision.value}ed now"
        raise IllegalTransitionError(text, metadata={"about": "match"})
    return new_status


@dataclass(frozen=True, slots=True)
class ReportRule:
    """A list with automatic reports of identical matches, and their purpose."""

    purpose: str


def report_rules(node: str, identical: Mapping[str, str]) -> Mapping[tuple[str, str], ReportRule]:
    """Rules by (publisher, list); `identical`: purpose by name of an own list, or by `publisher/list`."""
    rules = {}
    for name, purpose in identical.items():
        publisher, slash, list_name = name.partition("/")
        rules[(publisher, list_name) if slash else (node, name)] = ReportRule(purpose)
    return rules
