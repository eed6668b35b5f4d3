"""The states of a stored file, and which follow which; what the table doesn't list can't happen."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gateway.errors import IllegalTransitionError


class StoredState(StrEnum):
    """State of a file whose bytes are or were here."""

    UNSCANNED = "unscanned"
    CLEAN = "clean"
    QUARANTINED = "quarantined"
    ERASED = "erased"


class FileStep(StrEnum):
    """What happens to a file."""

    FOUND_CLEAN = "found clean"
    FOUND_INFECTED = "found infected"
    ERASE = "erased"
    STORE_UNSCANNED = "stored, to be scanned"
    STORE_CLEAN = "stored"


_NEXT: Mapping[tuple[StoredState, FileStep], StoredState] = {
    (StoredState.UNSCANNED, FileStep.FOUND_CLEAN): StoredState.CLEAN,
    (StoredState.UNSCANNED, FileStep.FOUND_INFECTED): StoredState.QUARANTINED,
    (StoredState.UNSCANNED, FileStep.ERASE): StoredState.ERASED,
    (StoredState.CLEAN, FileStep.ERASE): StoredState.ERASED,
    (StoredState.QUARANTINED, FileStep.ERASE): StoredState.ERASED,
    (StoredState.ERASED, FileStep.STORE_UNSCANNED): StoredState.UNSCANNED,
    (StoredState.ERASED, FileStep.STORE_CLEAN): StoredState.CLEAN,
}


def after(state: StoredState, step: FileStep) -> StoredState:
    """The state after a step; raises IllegalTransitionError where there is none."""
    following = _NEXT.get((state, step))
    if following is None:
        raise IllegalTransitionError(
            f"a file that is {state.value} can't be {step.value}", way_out="Read the file's present state."
        )
    return following
