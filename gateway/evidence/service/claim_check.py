"""Verifies the files that a publisher kept of a denied receipt: whether they prove, to someone who trusts neither side,
that the recipient has signed a receipt and a later claim to hold less.

1. files: receipt, claim and the directory of that time are there.
2. directory: as for evidence of an alert.
3. receipt: a log key of the feed's publisher signed the checkpoint, and a receipts key of its recipient cosigned it.
4. claim: a receipts key of the same recipient signed it, for the same feed.
5. contradiction: the claim is of fewer entries, is later by more than clocks may differ, and says of no restore that
   explains it (feed.service.claims).

The recipient states both times itself, which a key's thief could backdate: its keys must be valid at the stated times
and not revoked since. Log keys count whenever they were valid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import clipped_moment
from gateway.errors import GatewayError, MalformedError, SignatureInvalidError, VerificationError
from gateway.evidence.codec.bundle import Bundle
from gateway.evidence.service.check import trusted_directory
from gateway.evidence.service.quarantine_check import signed_head
from gateway.evidence.service.report import Examination, StepRun, examined
from gateway.feed.service.claims import Claim, claimed_feed, denial, excuse, moment, require_time, verify_claim
from gateway.feed.service.quarantine_evidence import CLAIM, DIRECTORY, RECEIPT
from gateway.plurals import counted
from gateway.tlog.checkpoint import VerifiedCosignature, unverified_checkpoint, verify_cosignature
from gateway.tlog.note import SignatureType, Verifier
from gateway.trust.rules.directory import of_algorithm, receipts_key_name
from gateway.trust.service.directory_versions import RootOfTrust, TrustedDirectory

STEPS: Final = {1: "files", 2: "directory", 3: "receipt", 4: "claim", 5: "contradiction"}
"""Names by number, as in docs/protocol.md."""

SignedT = TypeVar("SignedT", VerifiedCosignature, Claim)


@dataclass(frozen=True, slots=True)
class ProvedDenial:
    """A receipt and a later claim to hold less, both signed by one recipient.

    Attributes:
        directory_version: of the directory whose keys were used.
        receipt: its cosignature on the publisher's checkpoint; the time is in seconds since 1970.
        claim: the later one.
    """

    directory_version: int
    origin: FeedOrigin
    receipt: VerifiedCosignature
    claim: Claim

    @property
    def told(self) -> str:
        """A sentence on who signed what, and when."""
        return f"{denial(self.origin, self.receipt.checkpoint.size, self.receipt.timestamp, self.claim)}."

    @property
    def received_at(self) -> datetime:
        return clipped_moment(self.receipt.timestamp * 1000)

    @property
    def claimed_at(self) -> datetime:
        return clipped_moment(self.claim.claimed_at * 1000)


ClaimExamination: TypeAlias = Examination[ProvedDenial]


def is_denied_receipt(bundle: Bundle) -> bool:
    """Whether these are the files of a denied receipt."""
    return RECEIPT in bundle.files and CLAIM in bundle.files


def examine_denied_receipt(
    bundle: Bundle, *, anchors: RootOfTrust | None = None, directory_note: bytes | None = None
) -> ClaimExamination:
    """Verifies the files and returns the steps.

    Arguments are as for `check.verify`. Raises ConfigurationError without anchors and directory.
    """
    return examined(STEPS, lambda run: _proved(run, bundle, anchors, directory_note), anchors, directory_note)


def _proved(run: StepRun, bundle: Bundle, anchors: RootOfTrust | None, directory_note: bytes | None) -> ProvedDenial:
    with run.step(1) as facts:
        own_note = bundle.files.get(DIRECTORY)
        if own_note is None:
            raise MalformedError(f"{DIRECTORY} is missing")
        facts.append(counted(len(bundle.files), "file"))
    with run.step(2) as facts:
        trust = trusted_directory(own_note, anchors, directory_note, facts)
    with run.step(3) as facts:
        note = bundle.files[RECEIPT]
        origin = FeedOrigin.parse(unverified_checkpoint(note).origin)
        signed_head(note, origin, trust)
        receipt = _signed(origin, trust, lambda verifier: _cosigned(note, verifier), lambda found: found.timestamp)
        facts.append(f"{origin}, {counted(receipt.checkpoint.size, 'entry')}, {moment(receipt.timestamp)}")
    with run.step(4) as facts:
        claim_note = bundle.files[CLAIM]
        if claimed_feed(claim_note) != origin:
            raise VerificationError(f"the claim is on {claimed_feed(claim_note)}, not on {origin}")
        claim = _signed(
            origin,
            trust,
            lambda verifier: verify_claim(claim_note, verifier, origin),
            lambda found: found.claimed_at,
        )
        facts.append(f"{counted(claim.size, 'entry')}, {moment(claim.claimed_at)}")
    with run.step(5):
        if reason := excuse(claim, receipt.checkpoint.size, receipt.timestamp):
            raise VerificationError(reason)
    return ProvedDenial(trust.version, origin, receipt, claim)


def _cosigned(note: bytes, verifier: Verifier) -> VerifiedCosignature:
    cosigned = verify_cosignature(note, verifier)
    require_time(cosigned.timestamp, "receipt")
    return cosigned


def _signed(
    origin: FeedOrigin,
    trust: TrustedDirectory,
    verified: Callable[[Verifier], SignedT],
    signed_at: Callable[[SignedT], int],
) -> SignedT:
    """What a receipts key of the recipient has signed that counts for the time that is signed with it."""
    name = receipts_key_name(trust.federation, origin.recipient)
    refusal: GatewayError | None = None
    for record in of_algorithm(trust.directory.signer(origin.recipient).cosign_keys):
        try:
            found = verified(Verifier(name, record.public_key, SignatureType.COSIGNATURE))
        except GatewayError as error:
            refusal = refusal or error
            continue
        at = signed_at(found)
        if record.usable_as_told(clipped_moment(at * 1000)):
            return found
        refusal = SignatureInvalidError(
            f"the receipts key of {origin.recipient} wasn't valid at {moment(at)}, or was revoked since",
            step="receipts key",
        )
    raise refusal or SignatureInvalidError(
        f"the directory names no receipts key of {origin.recipient}", step="receipts key"
    )
