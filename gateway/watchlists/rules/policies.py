"""Rules of list policies and proposals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import IllegalTransitionError, InvalidRequestError, PermissionDeniedError, Violation
from gateway.trust.rules.permissions import PERSON_PREFIX


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """Policy of a list; `four_eyes`: changes need a second person's approval."""

    four_eyes: bool = True


WARN_BEFORE_MS = 14 * 24 * 3600 * 1000
"""Default warning time before an entry's end."""

MAX_LISTS = 256
"""Most lists of one publisher: every screening looks at each list's thresholds and visibility."""

DEFAULT_POLICY = ListPolicy()
"""Policy of lists outside the settings: unknown means no."""


_ABOUT = {"about": "proposal"}


def too_many_lists(field: str) -> InvalidRequestError:
    """The error of a change that would make more."""
    text = f"a publisher has at most {MAX_LISTS} lists, with those whose entries have all ended"
    return InvalidRequestError([Violation(field, "lists.most", text)])


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
