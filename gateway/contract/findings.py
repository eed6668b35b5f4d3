"""Follows the findings on a copy of an alert: which stand, what they say now, what corrected or withdrew the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import to_ms
from gateway.v1.alert_pb2 import AlertEvent, AlertFinding, EvidenceDigest, FindingReference
from gateway.v1.alert_service_pb2 import AlertChange


@dataclass(frozen=True, slots=True)
class FindingPlace:
    """The entry that says a finding or its correction: name of the feed, and index in it."""

    origin: str
    index: int


class FindingStep(NamedTuple):
    """A step of a copy, at its entry.

    Attributes:
        came_at_ms: when this gateway committed it, milliseconds since 1970.
    """

    place: FindingPlace
    event: AlertEvent
    came_at_ms: int


@dataclass(frozen=True, slots=True)
class ReportedFinding:
    """A finding as it is now.

    Attributes:
        number: of the finding on its copy, from 1.
        place: of what it says now: the finding, or its newest correction.
        reported_at_ms: when it was reported first, by its reporter's clock but not after it came here, in milliseconds
            since 1970: the day on which it counts.
        finding: as it is now.
        corrections: number of corrections.
        withdrawn: doesn't hold any more.
    """

    number: int
    place: FindingPlace
    reported_at_ms: int
    finding: AlertFinding
    corrections: int = 0
    withdrawn: bool = False

    @property
    def reporter(self) -> str:
        """The node that reported it, and alone may change it."""
        return FeedOrigin.parse(self.place.origin).publisher


class FindingLedger:
    """The findings on one copy, step by step."""

    def __init__(self, steps: Iterable[FindingStep] = ()) -> None:
        self._by_number: dict[int, ReportedFinding] = {}
        self._numbers: dict[FindingPlace, int] = {}
        for step in steps:
            self.add(step)

    def add(self, step: FindingStep) -> None:
        """Follows a step; without effect where it changes no finding that stands, which no gateway applies."""
        event, place = step.event, step.place
        match event.WhichOneof("event"):
            case "finding":
                number = len(self._by_number) + 1
                at_ms = min(to_ms(event.occurred_at), step.came_at_ms)
                self._put(ReportedFinding(number, place, at_ms, event.finding))
            case "finding_corrected" if known := self.current(place_of(event)):
                now = event.finding_corrected.finding
                self._put(replace(known, place=place, finding=now, corrections=known.corrections + 1))
            case "finding_withdrawn" if known := self.current(place_of(event)):
                self._put(replace(known, withdrawn=True))

    def _put(self, finding: ReportedFinding) -> None:
        self._by_number[finding.number] = finding
        self._numbers[finding.place] = finding.number

    @property
    def all(self) -> list[ReportedFinding]:
        """In the order in which they were reported."""
        return list(self._by_number.values())

    @property
    def standing(self) -> list[ReportedFinding]:
        """Those that weren't withdrawn, in the order in which they were reported."""
        return [finding for finding in self._by_number.values() if not finding.withdrawn]

    def known(self, place: FindingPlace) -> ReportedFinding | None:
        """The finding that an entry, or a correction of it, says; as it is now."""
        return self._by_number.get(self._numbers.get(place, 0))

    def current(self, place: FindingPlace) -> ReportedFinding | None:
        """The finding whose present content an entry says; None where it was corrected, withdrawn or isn't known."""
        finding = self.known(place)
        return finding if finding is not None and finding.place == place and not finding.withdrawn else None

    def end_of(self, place: FindingPlace) -> str:
        """What became of what an entry says: `corrected`, `withdrawn`, or empty while it stands."""
        finding = self.known(place)
        if finding is None or self.current(place) is not None:
            return ""
        return "corrected" if finding.place != place else "withdrawn"


def ledgers_of(history: Iterable[AlertChange]) -> dict[str, FindingLedger]:
    """The findings in an alert's history, oldest step first, by the recipient that reported them."""
    ledgers: dict[str, FindingLedger] = {}
    for change in history:
        place = FindingPlace(change.entry.origin, change.entry.index)
        step = FindingStep(place, change.event, to_ms(change.committed_at))
        ledgers.setdefault(change.recipient, FindingLedger()).add(step)
    return ledgers


def standing_findings(history: Iterable[AlertChange]) -> list[ReportedFinding]:
    """The findings that stand, of all copies."""
    return [finding for ledger in ledgers_of(history).values() for finding in ledger.standing]


def reference_of(place: FindingPlace) -> FindingReference:
    """How a request names the finding that an entry says."""
    return FindingReference(origin=place.origin, index=place.index)


def place_of(event: AlertEvent) -> FindingPlace:
    """The entry that a correction or a withdrawal names."""
    name = event.WhichOneof("event")
    meant = event.finding_corrected.replaces if name == "finding_corrected" else event.finding_withdrawn.finding
    return FindingPlace(meant.origin, meant.index)


def step_evidence(event: AlertEvent) -> Sequence[EvidenceDigest]:
    """The evidence that a step names: of a new or amended alert, an answer, a finding or its correction."""
    match event.WhichOneof("event"):
        case "published":
            return event.published.content.evidence
        case "amended":
            return event.amended.content.evidence
        case "answer":
            return event.answer.evidence
    finding = finding_of(event)
    return () if finding is None else finding.evidence


def finding_of(event: AlertEvent) -> AlertFinding | None:
    """The finding in a step: reported or corrected; None in another step."""
    match event.WhichOneof("event"):
        case "finding":
            return event.finding
        case "finding_corrected":
            return event.finding_corrected.finding
    return None
