"""Verifies a COSE receipt (RFC 9942) with the entry's header beside it, in steps.

1. files: receipt, header and the directory of that time are there, and nothing else.
2. directory: as for evidence of an alert.
3. receipt: in the form of `tlog.cose_receipt`, of a feed of this federation, and issued by its publisher.
4. key: the directory names a log key of the publisher with the receipt's key id, usable at the receipt's time and not
   revoked since.
5. header: an entry's header in canonical form.
6. inclusion: the proof leads from the header's bytes to a root that this key has signed.

The payload isn't in it: evidence of the alert has the same header, which commits to the payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import clipped_moment
from gateway.errors import MalformedError, SignatureInvalidError, VerificationError
from gateway.evidence.codec.bundle import DIRECTORY, HEADER, Bundle
from gateway.evidence.service.check import trusted_directory
from gateway.evidence.service.cose_export import RECEIPT, issuer_of
from gateway.evidence.service.report import Examination, StepRun, examined
from gateway.feed.codec import parse_header
from gateway.plurals import counted
from gateway.tlog.cose_receipt import CoseReceipt, parse_cose_receipt, verify_cose_receipt
from gateway.tlog.merkle import leaf_hash
from gateway.tlog.note import Verifier
from gateway.trust.rules.directory import of_algorithm
from gateway.trust.service.directory_versions import RootOfTrust, TrustedDirectory
from gateway.v1 import feed_pb2

STEPS: Final = {1: "files", 2: "directory", 3: "receipt", 4: "key", 5: "header", 6: "inclusion"}
"""Names by number, as in docs/protocol.md."""


@dataclass(frozen=True, slots=True)
class ProvedInclusion:
    """An entry that a feed's publisher has signed to be in the feed.

    Attributes:
        directory_version: of the directory whose keys were used.
        header: the entry's.
    """

    directory_version: int
    origin: FeedOrigin
    receipt: CoseReceipt
    header: feed_pb2.EntryHeader

    @property
    def told(self) -> str:
        """A sentence on who signed what."""
        return (
            f"{self.origin.publisher} has signed that entry {self.receipt.index} of {self.origin}, when that had "
            f"{counted(self.receipt.size, 'entry')}, is the {self.header.type} with payload digest "
            f"{self.header.payload_digest.hex()}; this proves neither its payload nor that anybody received it."
        )

    @property
    def signed_at(self) -> datetime:
        """By the publisher's clock."""
        return clipped_moment(self.receipt.signed_at * 1000)

    @property
    def recorded_at(self) -> datetime:
        """By the publisher's clock."""
        return clipped_moment(self.header.recorded_at_unix_ms)


CoseExamination: TypeAlias = Examination[ProvedInclusion]


def is_cose_receipt(bundle: Bundle) -> bool:
    """Whether these are the files of a COSE receipt."""
    return RECEIPT in bundle.files


def examine_cose_receipt(
    bundle: Bundle, *, anchors: RootOfTrust | None = None, directory_note: bytes | None = None
) -> CoseExamination:
    """Verifies the files and returns the steps.

    Arguments are as for `check.verify`. Raises ConfigurationError without anchors and directory.
    """
    return examined(STEPS, lambda run: _proved(run, bundle, anchors, directory_note), anchors, directory_note)


def _proved(run: StepRun, bundle: Bundle, anchors: RootOfTrust | None, directory_note: bytes | None) -> ProvedInclusion:
    with run.step(1) as facts:
        if bundle.files.keys() != {RECEIPT, HEADER, DIRECTORY}:
            raise MalformedError(f"beside {RECEIPT} there are {HEADER} and {DIRECTORY}, and nothing else")
        facts.append(counted(len(bundle.files), "file"))
    with run.step(2) as facts:
        trust = trusted_directory(bundle.files[DIRECTORY], anchors, directory_note, facts)
    with run.step(3) as facts:
        receipt = parse_cose_receipt(bundle.files[RECEIPT])
        origin = _feed_of(receipt, trust)
        facts.append(f"{origin}, entry {receipt.index} of {receipt.size}")
    with run.step(4) as facts:
        verifier = _key_of(receipt, origin, trust)
        facts.append(f"{receipt.key_id.hex()}, at {clipped_moment(receipt.signed_at * 1000).isoformat()}")
    with run.step(5) as facts:
        header = parse_header(bundle.files[HEADER])
        facts.append(header.type)
    with run.step(6):
        verify_cose_receipt(bundle.files[RECEIPT], leaf_hash(bundle.files[HEADER]), verifier)
    return ProvedInclusion(trust.version, origin, receipt, header)


def _feed_of(receipt: CoseReceipt, trust: TrustedDirectory) -> FeedOrigin:
    origin = FeedOrigin.parse(receipt.origin)
    if origin.federation != trust.federation:
        raise VerificationError(f"the receipt is of {origin.federation}, the trusted directory of {trust.federation}")
    if receipt.issuer != issuer_of(origin):
        raise VerificationError(f"{receipt.issuer!r} can't issue a receipt for {origin}")
    return origin


def _key_of(receipt: CoseReceipt, origin: FeedOrigin, trust: TrustedDirectory) -> Verifier:
    at = clipped_moment(receipt.signed_at * 1000)
    for record in of_algorithm(trust.directory.signer(origin.publisher).log_keys):
        verifier = Verifier(origin.line, record.public_key)
        if verifier.key_id != receipt.key_id:
            continue
        if record.usable_as_told(at):
            return verifier
        raise SignatureInvalidError(
            f"the log key {receipt.key_id.hex()} of {origin.publisher} wasn't valid at {at.isoformat()}, "
            "or was revoked since",
            step="log key",
        )
    raise SignatureInvalidError(
        f"the directory names no log key {receipt.key_id.hex()} of {origin.publisher} for {origin}", step="log key"
    )
