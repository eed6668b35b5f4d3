"""The result of an examination: steps, and the evidence if all passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from gateway.alerts.codec import AlertKey
from gateway.contract.ids import FeedOrigin
from gateway.errors import ConfigurationError, GatewayError
from gateway.evidence.codec.bundle_entries import StepProof, step_proofs
from gateway.evidence.codec.time_stamp import VerifiedTimeStamp
from gateway.tlog.checkpoint import Checkpoint
from gateway.trust.service.directory_versions import RootOfTrust
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
    12: "time stamp",
    13: "witnesses",
}
"""Names by number, as in `check` and docs/protocol.md."""


class StepStatus(StrEnum):
    """Result of a step."""

    PASSED = "passed"
    ABSENT = "absent"
    """What the step would show isn't shown, and wasn't required."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepResult:
    """A step and its details, for people."""

    number: int
    name: str
    status: StepStatus
    detail: str


@dataclass(frozen=True, slots=True)
class VerifiedEntry:
    """A verified entry.

    Attributes:
        kind: name of the event in the contract, e.g. `published`.
        origin, index: its feed and place.
        checkpoint: the signed tree head over it.
        recorded_at: by the publisher's clock.
        received_at: by the recipient's clock; None without a receipt.
    """

    kind: str
    event: alert_pb2.AlertEvent
    origin: FeedOrigin
    index: int
    checkpoint: Checkpoint
    recorded_at: datetime
    received_at: datetime | None


@dataclass(frozen=True, slots=True)
class WitnessProof:
    """Witnesses whose cosignatures verify.

    Attributes:
        names: as the policy names them, in order.
        is_enough: whether they are those that the directory's policy asks for.
    """

    names: tuple[str, ...]
    is_enough: bool


@dataclass(frozen=True, slots=True)
class VerifiedEvidence:
    """Facts that a bundle proves.

    Attributes:
        directory_version: of the directory whose keys were used.
        alert: the entry that published it.
        witnesses: who has cosigned a checkpoint that covers the alert; None where nobody is shown or required.
        time_stamp: on a receipt that covers the alert; None without one, or where it wasn't checked.
    """

    directory_version: int
    alert: VerifiedEntry
    events: tuple[VerifiedEntry, ...]
    time_stamp: VerifiedTimeStamp | None = None
    witnesses: WitnessProof | None = None

    @property
    def key(self) -> AlertKey:
        published = self.alert.event.published
        return AlertKey(published.publisher, published.id, published.recipient)

    @property
    def received_at(self) -> datetime | None:
        """When the recipient signed for the alert; None without a receipt. `steps` has the later ones."""
        return self.alert.received_at

    @property
    def steps(self) -> tuple[StepProof, ...]:
        """What is proved of each step: who said it, whether it was received, what was made of it."""
        return step_proofs(self.alert, self.events)


Evidence = TypeVar("Evidence")


@dataclass(frozen=True, slots=True)
class Examination(Generic[Evidence]):
    """Steps up to the one that fails, and what they prove if none does."""

    steps: tuple[StepResult, ...]
    evidence: Evidence | None
    error: GatewayError | None


class StoppedError(Exception):
    """A step failed and was recorded."""

    def __init__(self, cause: GatewayError) -> None:
        super().__init__(cause.message)
        self.cause = cause


@dataclass(slots=True)
class StepRun:
    """Collects results of steps."""

    names: Mapping[int, str]
    results: list[StepResult] = field(default_factory=list)

    @contextmanager
    def step(self, number: int, *, absent: Callable[[], str] = lambda: "") -> Iterator[list[str]]:
        """Records a step as passed with the details in the list, or as failed with the error raised.

        `absent` says, at its end, why nothing is shown after all; it is empty where it is.
        """
        details: list[str] = []
        try:
            yield details
        except GatewayError as error:
            self.results.append(StepResult(number, self.names[number], StepStatus.FAILED, error.message))
            raise StoppedError(error) from error
        if why := absent():
            self.absent(number, why)
        else:
            self.results.append(StepResult(number, self.names[number], StepStatus.PASSED, "; ".join(details)))

    def absent(self, number: int, detail: str) -> None:
        """Records something that isn't shown, and wasn't required."""
        self.results.append(StepResult(number, self.names[number], StepStatus.ABSENT, detail))


def examined(
    names: Mapping[int, str],
    prove: Callable[[StepRun], Evidence],
    anchors: RootOfTrust | None,
    directory_note: bytes | None,
) -> Examination[Evidence]:
    """Runs the steps of a kind of evidence.

    Args:
        anchors, directory_note: what the evidence is judged by.

    Raises:
        ConfigurationError: there is neither.
    """
    if anchors is None and directory_note is None:
        raise ConfigurationError("evidence is judged by a directory or by anchors; give at least one of them")
    run = StepRun(names)
    try:
        evidence = prove(run)
    except StoppedError as stopped:
        return Examination(tuple(run.results), None, stopped.cause)
    return Examination(tuple(run.results), evidence, None)
