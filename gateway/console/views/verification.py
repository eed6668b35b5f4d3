"""What a verified bundle of evidence proves to whom, step by step, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.translation.messages import gettext as _
from gateway.translation.step_titles import VERIFICATION_STEPS, step_title
from gateway.v1.evidence_service_pb2 import VerifyEvidenceResponse


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step of the verification."""

    number: int
    title: str
    meaning: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class ProvenLine:
    """What is proved of one step of an alert; `received_at` is None without a receipt."""

    title: str
    said_by: str
    said_to: str
    recorded_at: Timestamp
    received_at: Timestamp | None


@dataclass(frozen=True, slots=True)
class VerificationView:
    """The result: the step that failed is the last one."""

    verified: bool
    steps: Sequence[StepLine]
    proven: Sequence[ProvenLine]


def verification_view(response: VerifyEvidenceResponse) -> VerificationView:
    """The gateway's answer for the page."""
    return VerificationView(
        verified=response.verified,
        steps=[
            StepLine(
                number=step.number,
                title=_(VERIFICATION_STEPS[step.name][0]) if step.name in VERIFICATION_STEPS else step.name,
                meaning=_(VERIFICATION_STEPS[step.name][1]) if step.name in VERIFICATION_STEPS else "",
                passed=step.passed,
                detail=step.detail,
            )
            for step in response.steps
        ],
        proven=[
            ProvenLine(
                title=step_title(step.event),
                said_by=step.said_by,
                said_to=step.said_to,
                recorded_at=step.recorded_at,
                received_at=step.received_at if step.HasField("received_at") else None,
            )
            for step in response.proven
        ],
    )
