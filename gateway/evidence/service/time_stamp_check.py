"""Verifies a bundle's time stamp (step 12 of `check`): the alert, and a receipt for it, existed before a time.

1. The alert's log has only grown from the checkpoint of its proof to the stamped one, which covers the alert therefore.
2. The publisher's log key has signed the stamped checkpoint, and the recipient a receipt on it, by keys of that time.
3. A time-stamping authority (TSA) has signed a time on SHA-256 of it, as evidence.codec.time_stamp verifies.

The stamp proves a time to those who trust that TSA's certificate: without one that the verifier names, or without the
library for it, the step says what there is, and that it proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.x509 import Certificate

from gateway.contract.json_document import format_time
from gateway.errors import ConfigurationError, SignatureInvalidError
from gateway.evidence.codec.bundle import EvidenceParts
from gateway.evidence.codec.bundle_entries import claimed_receipt
from gateway.evidence.codec.time_stamp import VerifiedTimeStamp, verify_time_stamp
from gateway.evidence.service.report import StepRun, VerifiedEntry
from gateway.tlog.checkpoint import verify_cosignature
from gateway.tlog.consistency_file import parse_consistency_file, verify_consistency_file
from gateway.tlog.note import first_verified, parse_note
from gateway.trust.service.directory_versions import TrustedDirectory

STEP = 12
"""Number of the step in `report.STEPS`."""


def check_time_stamp(
    run: StepRun,
    parts: EvidenceParts,
    alert: VerifiedEntry,
    trust: TrustedDirectory,
    certificates: Sequence[Certificate],
) -> VerifiedTimeStamp | None:
    """Runs the step; None without a stamp, or where it can't be checked.

    Args:
        alert: as verified by the steps before.
        certificates: of the TSA that the verifier trusts, and of its CAs.
    """
    if parts.time_stamp is None:
        run.absent(STEP, "there is none in the bundle")
        return None
    why_absent = ""
    stamp = None
    with run.step(STEP, absent=lambda: why_absent) as facts:
        checkpoint = later_receipt(parts.time_stamp.consistency, alert, trust)  # 1, 2
        try:
            stamp = verify_time_stamp(parts.time_stamp.stamp, checkpoint, certificates)  # 3
        except ConfigurationError as error:
            if certificates:
                raise
            why_absent = f"there is one, which can't be checked here: {error.message}. {error.way_out}"
        else:
            said = f"existed before {format_time(stamp.time)}, by {stamp.authority}"
            facts.append(said)
            if not stamp.is_trusted:
                why_absent = (
                    f"{said}, certificate SHA-256 {stamp.certificate_sha256}: its signature is sound, but you haven't "
                    "named that authority as one that you trust"
                )
    return stamp


def later_receipt(consistency: bytes, alert: VerifiedEntry, trust: TrustedDirectory) -> bytes:
    """The receipted checkpoint to which a proof leads from the alert's, with its signatures as they are there.

    Raises:
        MalformedError, SignatureInvalidError, ProofInvalidError: one of them doesn't verify.
    """
    origin = alert.origin
    note = parse_consistency_file(consistency).checkpoint_note
    received_at = claimed_receipt(origin.line, parse_note(note).signatures)
    if received_at is None:
        raise SignatureInvalidError("the later checkpoint has no receipt")
    verify_consistency_file(consistency, alert.checkpoint, trust.log_verifiers(origin, received_at))
    first_verified(
        trust.cosign_verifiers(origin.recipient, received_at),
        lambda verifier: verify_cosignature(note, verifier),
        lambda: SignatureInvalidError(f"the directory names no receipts key of {origin.recipient} at that time"),
    )
    return note
