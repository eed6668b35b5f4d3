"""Four eyes: a change that one person proposes takes effect when another has approved it."""

from __future__ import annotations

from enum import StrEnum

from gateway.errors import IllegalTransitionError, PermissionDeniedError
from gateway.trust.rules.permissions import PERSON_PREFIX

_ABOUT = {"about": "proposal"}


class ProposalState(StrEnum):
    """State of a proposal."""

    OPEN = "open"
    """Parts may follow."""
    COMPLETE = "complete"
    """It waits for a decision."""
    APPROVED = "approved"
    REJECTED = "rejected"


def require_decidable(
    state: ProposalState, *, proposer: str, decider: str, approve: bool, persons: bool = False
) -> None:
    """Raises unless this person may decide this proposal now.

    Args:
        proposer, decider: actors; a person's is the same through any system.
        persons: persons sign in at this node, so that a system, which anybody may run, is no second person.

    Raises:
        IllegalTransitionError: decided before, or incomplete.
        PermissionDeniedError: the proposer may not approve, nor a system where persons sign in.
    """
    if state is ProposalState.OPEN and approve:
        raise IllegalTransitionError(
            "the proposal isn't complete: its import is under way or was cut off", metadata=_ABOUT
        )
    if state not in (ProposalState.OPEN, ProposalState.COMPLETE):
        raise IllegalTransitionError(f"the proposal was {state.value} before", metadata=_ABOUT)
    if approve and proposer == decider:
        raise PermissionDeniedError("four eyes: whoever proposes a change doesn't approve it; ask somebody else")
    if approve and persons and not decider.startswith(PERSON_PREFIX):
        raise PermissionDeniedError("four eyes: persons sign in at this node, so a person approves and no system")
