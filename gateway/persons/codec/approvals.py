"""Reads the approval that a call carries: JSON with the challenge's id and the authenticator's response."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from gateway.errors import ApprovalRequiredError

MAX_APPROVAL_CHARS = 8_192
"""Longest approval; metadata as a whole is bounded too."""


@dataclass(frozen=True, slots=True)
class ClaimedApproval:
    """An approval before it is verified."""

    challenge_id: str
    response_json: str


def parse_approval(text: str) -> ClaimedApproval:
    """Raises ApprovalRequiredError."""
    if len(text) > MAX_APPROVAL_CHARS:
        raise ApprovalRequiredError("the approval is too long")
    try:
        document = json.loads(text)
        challenge_id = str(uuid.UUID(document["challenge_id"]))
        return ClaimedApproval(challenge_id, json.dumps(document["response"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ApprovalRequiredError("the approval isn't JSON with challenge_id and response") from error
