"""The rules of watchlists that need nothing but themselves: list policies and what a proposal may become."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import IllegalTransitionError, PermissionDeniedError


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """How a list is kept.

    Attributes:
        four_eyes: changes take effect when a second person has approved them.
    """

    four_eyes: bool = True


WARN_BEFORE_MS = 14 * 24 * 3600 * 1000
"""How long before the end of its validity an entry counts as ending soon, where the settings don't say otherwise."""

DEFAULT_POLICY = ListPolicy()
"""Of a list that the settings don't name: unknown means no."""


_ABOUT = {"about": "proposal"}


class ProposalState(StrEnum):
    """Where a proposal stands."""

    OPEN = "open"
    """Parts may follow."""
    COMPLETE = "complete"
    """It waits for a decision."""
    APPROVED = "approved"
    REJECTED = "rejected"


def require_decidable(state: ProposalState, *, proposer: str, decider: str, approve: bool) -> None:
    """Raises unless this person may decide this proposal now.

    Raises:
        IllegalTransitionError: it was decided before, or is to be approved before it is complete.
        PermissionDeniedError: the proposer may not approve.
    """
    if state is ProposalState.OPEN and approve:
        raise IllegalTransitionError(
            "the proposal isn't complete: its import is under way or was cut off", metadata=_ABOUT
        )
    if state not in (ProposalState.OPEN, ProposalState.COMPLETE):
        raise IllegalTransitionError(f"the proposal was {state.value} before", metadata=_ABOUT)
    if approve and proposer == decider:
        raise PermissionDeniedError("four eyes: whoever proposes a change doesn't approve it; ask somebody else")
