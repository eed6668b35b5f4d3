"""Verifies the files that a recipient kept of a feed's quarantine: whether they prove, to someone who trusts neither
side, that the publisher has signed two histories.

1. files: both checkpoints are there, and the directory of that time.
2. directory: as for evidence of an alert.
3. held: a log key of the feed's publisher signed the checkpoint that the recipient had.
4. received: a log key of the same publisher signed the one that came, for the same feed.
5. contradiction: no history has both. Either they have different roots for one size; or `held.proof` leads from
   another root than the received one, of as many entries, to the held one.

Keys count whenever they were valid: a checkpoint tells no time. A received checkpoint of more entries than the held one
contradicts it only in the eyes of who holds the entries, and step 5 fails: its publisher could still show a proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.contract.ids import FeedOrigin
from gateway.errors import MalformedError, SignatureInvalidError, VerificationError
from gateway.evidence.codec.bundle import Bundle
from gateway.evidence.service.check import trusted_directory
from gateway.evidence.service.report import Examination, StepRun, examined
from gateway.feed.service.quarantine_evidence import DIRECTORY, HELD, HELD_PROOF, RECEIVED, parse_held_proof
from gateway.plurals import counted
from gateway.tlog.checkpoint import Checkpoint, unverified_checkpoint, verify_checkpoint
from gateway.tlog.note import first_verified
from gateway.tlog.proofs import verify_consistency
from gateway.trust.service.directory_versions import RootOfTrust, TrustedDirectory

STEPS: Final = {1: "files", 2: "directory", 3: "held", 4: "received", 5: "contradiction"}
"""Names by number, as in docs/protocol.md."""


@dataclass(frozen=True, slots=True)
class ProvedFork:
    """Two histories of one feed that its publisher has signed.

    Attributes:
        directory_version: of the directory whose keys were used.
        held, received: the two tree heads, both signed by the publisher.
        held_root: root that the held history has at the received head's size.
    """

    directory_version: int
    origin: FeedOrigin
    held: Checkpoint
    received: Checkpoint
    held_root: bytes

    @property
    def told(self) -> str:
        """A sentence on who signed what."""
        return (
            f"{self.origin.publisher} has signed two histories of {self.origin}: of the first "
            f"{counted(self.received.size, 'entry')}, one has the root {self.held_root.hex()}, the other "
            f"{self.received.root.hex()}."
        )


QuarantineExamination: TypeAlias = Examination[ProvedFork]


def is_quarantine(bundle: Bundle) -> bool:
    """Whether these are the files of a quarantine."""
    return HELD in bundle.files and RECEIVED in bundle.files


def examine_quarantine(
    bundle: Bundle, *, anchors: RootOfTrust | None = None, directory_note: bytes | None = None
) -> QuarantineExamination:
    """Verifies a quarantine's files and returns the steps.

    Arguments are as for `check.verify`. Raises ConfigurationError without anchors and directory.
    """
    return examined(STEPS, lambda run: _proved(run, bundle, anchors, directory_note), anchors, directory_note)


def _proved(run: StepRun, bundle: Bundle, anchors: RootOfTrust | None, directory_note: bytes | None) -> ProvedFork:
    with run.step(1) as facts:
        own_note = bundle.files.get(DIRECTORY) or directory_note
        if own_note is None:
            raise MalformedError(f"{DIRECTORY} is missing, as in evidence of earlier releases: give --directory")
        facts.append(counted(len(bundle.files), "file"))
    with run.step(2) as facts:
        trust = trusted_directory(own_note, anchors, directory_note, facts)
    with run.step(3) as facts:
        if not bundle.files[HELD]:
            raise VerificationError("nothing was held before: a first batch alone contradicts nothing")
        origin = FeedOrigin.parse(unverified_checkpoint(bundle.files[HELD]).origin)
        held = signed_head(bundle.files[HELD], origin, trust)
        facts.append(f"{origin}, {counted(held.size, 'entry')}")
    with run.step(4) as facts:
        received = signed_head(bundle.files[RECEIVED], origin, trust)
        facts.append(counted(received.size, "entry"))
    with run.step(5):
        root = _held_root(bundle, held, received)
        if root == received.root:
            raise VerificationError(
                f"both histories have the same first {counted(received.size, 'entry')}: what was wrong was in the "
                "batch, which its publisher hasn't signed by itself"
            )
    return ProvedFork(trust.version, origin, held, received, root)


def signed_head(note: bytes, origin: FeedOrigin, trust: TrustedDirectory) -> Checkpoint:
    """A checkpoint that some log key of the feed's publisher has signed; raises GatewayError."""
    return first_verified(
        trust.every_log_verifier(origin),
        lambda verifier: verify_checkpoint(note, verifier, origin.line).checkpoint,
        lambda: SignatureInvalidError(f"the directory names no log key of {origin.publisher}", step="log key"),
    )


def _held_root(bundle: Bundle, held: Checkpoint, received: Checkpoint) -> bytes:
    """Root of the held history at the received head's size; raises VerificationError where it isn't proved."""
    if received.size == held.size:
        return held.root
    if received.size > held.size:
        raise VerificationError(
            f"the received history has {counted(received.size, 'entry')}, more than the {held.size} held: that it "
            "doesn't continue them is known to the recipient alone. Ask the publisher for a proof of consistency"
        )
    data = bundle.files.get(HELD_PROOF)
    if data is None:
        raise VerificationError(f"{HELD_PROOF} is missing, as in evidence of earlier releases")
    root, hashes = parse_held_proof(data)
    verify_consistency(received.size, root, held.size, held.root, hashes)
    return root
