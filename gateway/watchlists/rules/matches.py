"""A match's states and what may be decided about it; how the settings have matches reported."""

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
    """Given by an own system to be screened, with a reference."""


class SourceKey(NamedTuple):
    """One thing that names parties: its kind, the node that published it, its id there."""

    kind: SourceKind
    publisher: str
    id: str


class MatchPlace(NamedTuple):
    """Where one party stands: source, its revision, and the path of the party in its content."""

    source: SourceKey
    revision: int = 0
    field: str = ""


class EntryKey(NamedTuple):
    """One entry of one list."""

    publisher: str
    list: str
    id: str


class MatchStatus(StrEnum):
    """What has become of a match."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    SUPERSEDED = "superseded"
    """It no longer held before anybody decided."""


class MatchDecision(StrEnum):
    """What somebody says of a match."""

    CONFIRM = "confirm"
    DISMISS = "dismiss"


DECISIONS: Mapping[tuple[MatchStatus, MatchDecision], MatchStatus] = MappingProxyType(
    {
        (MatchStatus.OPEN, MatchDecision.CONFIRM): MatchStatus.CONFIRMED,
        (MatchStatus.OPEN, MatchDecision.DISMISS): MatchStatus.DISMISSED,
        (MatchStatus.DISMISSED, MatchDecision.CONFIRM): MatchStatus.CONFIRMED,
    }
)
"""Decisions by status: a dismissed match may still be confirmed; the entry's owner answers a reported hit."""


def decided(status: MatchStatus, decision: MatchDecision) -> MatchStatus:
    """The status after a decision.

    Raises:
        IllegalTransitionError: it can't be decided so.
    """
    found = DECISIONS.get((status, decision))
    if found is None:
        text = f"the match is {status.value}: it can't be {decision.value}ed now"
        raise IllegalTransitionError(text, metadata={"about": "match"})
    return found


@dataclass(frozen=True, slots=True)
class ReportRule:
    """A list whose identical matches are reported without anybody's decision, and for which purpose."""

    purpose: str


def report_rules(node: str, identical: Mapping[str, str]) -> Mapping[tuple[str, str], ReportRule]:
    """The rules from settings, by (publisher, list).

    Args:
        node: the own node's name.
        identical: purpose by a list's name as the settings have it: that of an own list, or `publisher/list`.
    """
    found = {}
    for name, purpose in identical.items():
        publisher, slash, list_name = name.partition("/")
        found[(publisher, list_name) if slash else (node, name)] = ReportRule(purpose)
    return found
