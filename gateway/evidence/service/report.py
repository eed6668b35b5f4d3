"""What an examination of evidence found: its steps, and the evidence when all of them passed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.alerts.codec import AlertKey
from gateway.contract.ids import FeedOrigin
from gateway.errors import GatewayError
from gateway.tlog.checkpoint import Checkpoint
from gateway.v1 import alert_pb2

STEPS = {
    1: "bundle",
    2: "directory",
    3: "header",
    4: "payload",
    5: "leaf hash",
    6: "checkpoint",
    7: "inclusion",
    8: "receipt",
    9: "alert",
    10: "events",
    11: "words",
}
"""Number to name, as in this module's text and in docs/protocol.md."""


class StepStatus(StrEnum):
    """What came of a step."""

    PASSED = "passed"
    ABSENT = "absent"
    """There is no receipt, and the verifier asked for origin alone."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step with what was found, for people."""

    number: int
    name: str
    status: StepStatus
    detail: str


@dataclass(frozen=True, slots=True)
class VerifiedEntry:
    """An entry that verifies.

    Attributes:
        kind: name of the event in the contract, e.g. `published`.
        event: what was said.
        origin, index: where it stands.
        checkpoint: the signed tree head that covers it.
        recorded_at: when the publisher recorded it, by its clock.
        received_at: when the recipient signed for it, by its clock; None: nothing shows that it was received.
    """

    kind: str
    event: alert_pb2.AlertEvent
    origin: FeedOrigin
    index: int
    checkpoint: Checkpoint
    recorded_at: datetime
    received_at: datetime | None


@dataclass(frozen=True, slots=True)
class VerifiedEvidence:
    """What a bundle proves.

    Attributes:
        directory_version: of the directory whose keys were used.
        alert: the entry that published it.
        events: what was said later, as far as the bundle has it.
    """

    directory_version: int
    alert: VerifiedEntry
    events: tuple[VerifiedEntry, ...]

    @property
    def key(self) -> AlertKey:
        """Whose copy of which alert."""
        published = self.alert.event.published
        return AlertKey(published.publisher, published.id, published.recipient)

    @property
    def received_at(self) -> datetime | None:
        """When the recipient signed for the alert; None when nothing shows that it was received."""
        return self.alert.received_at


@dataclass(frozen=True, slots=True)
class Examination:
    """The steps up to and including the one that fails, and the evidence when none does."""

    steps: tuple[StepResult, ...]
    evidence: VerifiedEvidence | None
    error: GatewayError | None


class StoppedError(Exception):
    """A step has failed and is noted."""

    def __init__(self, cause: GatewayError) -> None:
        super().__init__(cause.message)
        self.cause = cause


@dataclass(slots=True)
class StepRun:
    """Collects what comes of the steps."""

    names: Mapping[int, str] = field(default_factory=lambda: STEPS)
    results: list[StepResult] = field(default_factory=list)

    @contextmanager
    def step(self, number: int) -> Iterator[list[str]]:
        """Notes a step as passed with what the block puts into the list, or as failed with what it raises."""
        details: list[str] = []
        try:
            yield details
        except GatewayError as error:
            self.results.append(StepResult(number, self.names[number], StepStatus.FAILED, error.message))
            raise StoppedError(error) from error
        self.results.append(StepResult(number, self.names[number], StepStatus.PASSED, "; ".join(details)))

    def absent(self, number: int, detail: str) -> None:
        """Notes that there is no receipt, and that none was asked for."""
        self.results.append(StepResult(number, self.names[number], StepStatus.ABSENT, detail))
