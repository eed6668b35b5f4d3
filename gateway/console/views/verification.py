"""What a verified bundle of evidence proves to whom, step by step, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.views.alerts.steps import step_title
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.evidence_service_pb2 import VerifyEvidenceResponse

_STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "bundle": (N_("The bundle is whole"), N_("No file is missing, foreign or changed since it was exported.")),
    "directory": (N_("The directory"), N_("The keys come from the directory that the authorities have signed.")),
    "header": (N_("The entry's header"), N_("The entry has the one form in which it can be signed.")),
    "payload": (N_("The words"), N_("These are the very words that the header commits to.")),
    "leaf hash": (N_("The fingerprint"), N_("The fingerprint of the entry is the one in the list of the bundle.")),
    "checkpoint": (
        N_("The publisher's signature"),
        N_("The publisher has signed its log, and can't deny it: it proves to anybody who said this."),
    ),
    "inclusion": (N_("The place in the log"), N_("The entry is in the log that was signed.")),
    "receipt": (
        N_("The recipient's receipt"),
        N_("The recipient has signed that it has this log, and can't deny it: it proves to anybody that it was told."),
    ),
    "alert": (N_("The alert"), N_("The entry publishes this alert, from this publisher to this recipient.")),
    "events": (N_("The later steps"), N_("Each later step passes the same steps, and is about this alert.")),
    "words": (N_("What people read"), N_("The readable files say what the signed originals say.")),
    "question": (N_("The question"), N_("The authority that asked has signed its question.")),
    "note": (N_("The answer's signature"), N_("The authority that answered has signed its answer, and can't deny it.")),
    "statement": (N_("The answer's statement"), N_("The answer is to this question.")),
    "records": (N_("The records"), N_("These are the records that the answer commits to, and no others.")),
}
"""By the names of steps in docs/protocol.md: what each is called, and what it shows."""


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
                title=_(_STEPS[step.name][0]) if step.name in _STEPS else step.name,
                meaning=_(_STEPS[step.name][1]) if step.name in _STEPS else "",
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
