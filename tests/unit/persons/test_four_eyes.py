"""Four eyes: who proposed a change doesn't approve it, and where persons sign in, a system is no second person."""

from __future__ import annotations

import pytest

from gateway.errors import IllegalTransitionError, PermissionDeniedError
from gateway.persons.rules.four_eyes import ProposalState, require_decidable


@pytest.mark.parametrize(
    ("proposer", "decider", "persons", "problem"),
    [
        ("desk", "supervisor", False, ""),
        ("desk", "desk", False, "whoever proposes"),
        ("person/chan", "person/wong", True, ""),
        ("person/chan", "person/chan", True, "whoever proposes"),
        ("person/chan", "supervisor", True, "a person approves"),
        ("importer", "supervisor", True, "a person approves"),
        ("importer", "person/chan", True, ""),
        ("chan", "person/chan", True, ""),  # a system of the same name isn't the person
    ],
)
def test_who_may_approve(proposer: str, decider: str, persons: bool, problem: str) -> None:
    def decide(approve: bool) -> None:
        require_decidable(ProposalState.COMPLETE, proposer=proposer, decider=decider, approve=approve, persons=persons)

    decide(False)  # everybody may say no
    if not problem:
        decide(True)
        return
    with pytest.raises(PermissionDeniedError, match=problem):
        decide(True)


@pytest.mark.parametrize("state", [ProposalState.APPROVED, ProposalState.REJECTED])
def test_what_was_decided_stays_so(state: ProposalState) -> None:
    with pytest.raises(IllegalTransitionError):
        require_decidable(state, proposer="a", decider="b", approve=False)
