"""Verifies who has cosigned a bundle's alert as a witness (step 13 of `check`).

1. The alert's log has only grown from the checkpoint of its proof to the witnessed one, signed by log and recipient.
2. Every cosignature of a witness of the directory's policy verifies over it; the feed's two nodes don't count.
3. Those witnesses are enough by that policy.

A cosignature that doesn't verify fails the step. Too few of them, or none, don't: the step says what is missing.
"""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.contract.json_document import format_time
from gateway.errors import MalformedError
from gateway.evidence.codec.bundle import EvidenceParts
from gateway.evidence.service.report import StepRun, VerifiedEntry, WitnessProof
from gateway.evidence.service.time_stamp_check import later_receipt
from gateway.feed.service.witnessing import WITNESS_POLICY, policy_of, third_witnesses
from gateway.tlog.note import parse_note
from gateway.tlog.policy import WitnessPolicy
from gateway.trust.service.directory_versions import TrustedDirectory

STEP = 13
"""Number of the step in `report.STEPS`."""


def check_witnesses(
    run: StepRun, parts: EvidenceParts, alert: VerifiedEntry, trust: TrustedDirectory
) -> WitnessProof | None:
    """Runs the step; None, and no step, where the directory has no policy and the bundle no cosignatures."""
    if not parts.witnessed and trust.directory.extensions.get(WITNESS_POLICY) is None:
        return None
    proof = WitnessProof((), is_enough=False)
    why_absent = ""
    with run.step(STEP, absent=lambda: why_absent) as facts:
        policy, unreadable = _policy(trust)
        said = "nobody is shown to have cosigned"
        if parts.witnessed:
            note = parse_note(later_receipt(parts.witnessed, alert, trust))  # 1
            cosigned = {} if policy is None else policy.verified(note.unverified_text, note.signatures)  # 2
            third = frozenset() if policy is None else third_witnesses(policy, alert.origin)
            lines = {name: at for name, (_, at) in sorted(cosigned.items()) if name in third}
            is_enough = policy is not None and policy.is_met(third & cosigned.keys())  # 3
            proof = WitnessProof(tuple(lines), is_enough)
            said = ", ".join(f"{name} at {_time(at)}" for name, at in lines.items()) or said
        if proof.is_enough:
            facts.append(f"cosigned by {said}")
        elif unreadable:
            why_absent = f"version {trust.version} of the directory has a policy that can't be read: {unreadable}"
        elif policy is None:
            why_absent = f"version {trust.version} of the directory names no witnesses, so none of them is known"
        else:
            why_absent = f"{said}; fewer than the policy in version {trust.version} of the directory asks for"
    return proof


def _policy(trust: TrustedDirectory) -> tuple[WitnessPolicy | None, str]:
    """The policy, and why it can't be read: the directory's fault is no forgery of the evidence."""
    try:
        return policy_of(trust.directory), ""
    except MalformedError as error:
        return None, error.message


def _time(seconds: int) -> str:
    return format_time(datetime.fromtimestamp(min(seconds, _MAX_SECONDS), UTC))


_MAX_SECONDS = 253_402_300_799  # the end of the year 9999
