"""Timestamped Ed25519 cosignatures of checkpoints, signature type 0x04 (C2SP tlog-cosignature).

A cosignature states that its cosigner saw this tree head, at that time, as the largest consistent one of the log. The
cosigner verifies this before it calls `cosign`; readers decide whether the time is plausible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from gateway.errors import MalformedError, SignatureInvalidError
from gateway.tlog.checkpoint import Checkpoint, parse_checkpoint_body
from gateway.tlog.note import (
    MAX_TIMESTAMP,
    NoteSignature,
    SignatureType,
    Signer,
    VerifiedSignature,
    Verifier,
    cosigned_message,
    key_id,
    open_note,
    parse_note,
    parse_signature_line,
    verify_signature,
)


@dataclass(frozen=True, slots=True)
class VerifiedCosignature:
    """A verified cosignature.

    Attributes:
        name: the cosigner's key name.
        timestamp: the cosigner's clock, POSIX seconds.
        checkpoint: use `verify_checkpoint` to see whether the log signed it too.
    """

    name: str
    timestamp: int
    checkpoint: Checkpoint


def cosign(note: bytes, signer: Signer, timestamp: int) -> bytes:
    """Returns a signature line for a checkpoint whose signature and root the caller has verified.

    Args:
        timestamp: now, POSIX seconds.

    Raises:
        MalformedError: not a checkpoint, or the time is out of range.
    """
    if not 0 <= timestamp <= MAX_TIMESTAMP:
        raise MalformedError(f"cosignature time {timestamp} is out of range")
    text = parse_note(note).unverified_text
    parse_checkpoint_body(text)
    identity = key_id(signer.name, SignatureType.COSIGNATURE, signer.public_key)
    signature = signer.sign(cosigned_message(text, timestamp))
    line = NoteSignature(signer.name, identity, timestamp.to_bytes(8, "big") + signature).line()
    parse_signature_line(line)  # refuses an invalid key name
    return line


def verify_cosignature(note: bytes, verifier: Verifier) -> VerifiedCosignature:
    """Verifies a known cosigner's cosignature in a checkpoint's note.

    1. The key is a cosigner's: signature type 0x04.
    2. The note is in canonical form; it has a signature of this cosigner, and all of them are valid.
    3. The text is a checkpoint in canonical form.

    Of several cosignatures the latest counts.

    Raises:
        MalformedError: step 2 or 3, a wrong form.
        SignatureInvalidError: step 1 or 2.
    """
    _require_cosigner(verifier)  # 1
    verified = open_note(note, [verifier])  # 2
    checkpoint = parse_checkpoint_body(verified.text)  # 3
    return max(
        (_statement(signature, checkpoint) for signature in verified.signatures), key=lambda each: each.timestamp
    )


def verify_cosignature_line(note: bytes, line: bytes, verifier: Verifier) -> VerifiedCosignature:
    """As `verify_cosignature`, for a line apart from its note, whose signatures are ignored."""
    _require_cosigner(verifier)  # 1
    text = parse_note(note).unverified_text
    signature = verify_signature(text, parse_signature_line(line), verifier)  # 2
    return _statement(signature, parse_checkpoint_body(text))  # 3


def _require_cosigner(verifier: Verifier) -> None:
    if verifier.algorithm is not SignatureType.COSIGNATURE:
        raise SignatureInvalidError(f"{verifier.to_vkey()} isn't a cosigner's key", step="cosigner key")


def _statement(signature: VerifiedSignature, checkpoint: Checkpoint) -> VerifiedCosignature:
    # `_require_cosigner` has checked the type, so the time is set.
    return VerifiedCosignature(signature.verifier.name, cast("int", signature.timestamp), checkpoint)
