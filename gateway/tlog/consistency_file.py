"""Consistency proofs as files, verifiable offline.

The form is the body of `add-checkpoint` in C2SP tlog-witness: `old SIZE`, base64 hashes, an empty line, a checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import MalformedError, ProofInvalidError, SignatureInvalidError, TooLargeError
from gateway.plurals import counted
from gateway.tlog.checkpoint import Checkpoint, VerifiedCheckpoint, parse_checkpoint_body, verify_checkpoint
from gateway.tlog.encoding import HASH_BYTES, decode_decimal, decode_hash, encode_base64
from gateway.tlog.merkle import MAX_TREE_SIZE
from gateway.tlog.note import Verifier, parse_note
from gateway.tlog.proofs import verify_consistency

MAX_FILE_BYTES = 1 << 16
"""Largest file in bytes: 63 hashes and a checkpoint with all its signatures."""

MAX_HASHES = 63
"""Most hashes that tlog-witness allows."""


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """A file's content, unverified.

    Attributes:
        old_size: entries of the older tree.
        hashes: RFC 9162 consistency proof, 32 bytes each.
        checkpoint_note: the newer checkpoint with its signatures, verbatim.

    Raises:
        MalformedError: a value can't be encoded.
    """

    old_size: int
    hashes: tuple[bytes, ...]
    checkpoint_note: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.old_size <= MAX_TREE_SIZE:
            raise MalformedError(f"no log has {counted(self.old_size, 'entry')}")
        if len(self.hashes) > MAX_HASHES or any(len(node) != HASH_BYTES for node in self.hashes):
            raise MalformedError(f"a consistency proof has at most {MAX_HASHES} hashes of {HASH_BYTES} bytes")
        parse_checkpoint_body(parse_note(self.checkpoint_note).unverified_text)

    def encode(self) -> bytes:
        """Encodes the file; parsing it gives the same content."""
        lines = [b"old %d" % self.old_size, *map(encode_base64, self.hashes), b"", self.checkpoint_note]
        data = b"\n".join(lines)
        _require_length(data)
        return data


def parse_consistency_file(data: bytes) -> ConsistencyProof:
    """Parses a file without verifying it; raises TooLargeError or MalformedError."""
    _require_length(data)
    head, separator, checkpoint_note = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    if not separator or not first.startswith(b"old "):
        raise MalformedError("a consistency proof starts with 'old SIZE' and has an empty line before its checkpoint")
    old_size = decode_decimal(first.removeprefix(b"old "), "old size", MAX_TREE_SIZE)
    hashes = tuple(decode_hash(line, f"proof hash {number}") for number, line in enumerate(lines, 1))
    return ConsistencyProof(old_size, hashes, checkpoint_note)


def verify_consistency_file(data: bytes, old: Checkpoint, verifiers: Sequence[Verifier]) -> VerifiedCheckpoint:
    """Verifies that a log only grew since an older checkpoint; returns the newer one.

    1. The newer checkpoint is of the older one's log and signed by one of the keys.
    2. The proof starts at the older checkpoint's size.
    3. It leads from the older root to the newer one.

    Args:
        old: the older checkpoint; the caller has verified its signature.
        verifiers: accepted log keys.

    Raises:
        MalformedError: the file isn't in canonical form.
        SignatureInvalidError: step 1.
        ProofInvalidError: step 2 or 3.
    """
    proof = parse_consistency_file(data)
    newer = _signed_by_any(proof.checkpoint_note, old.origin, verifiers)  # 1
    if proof.old_size != old.size:  # 2
        raise ProofInvalidError(
            f"the proof starts at {counted(proof.old_size, 'entry')}, the older checkpoint has {old.size}",
            step="old size",
        )
    head = newer.checkpoint
    verify_consistency(old.size, old.root, head.size, head.root, proof.hashes)  # 3
    return newer


def _signed_by_any(note: bytes, origin: str, verifiers: Sequence[Verifier]) -> VerifiedCheckpoint:
    signed = {(signature.name, signature.key_id) for signature in parse_note(note).signatures}
    chosen = [verifier for verifier in verifiers if (verifier.name, verifier.key_id) in signed]
    if not chosen:
        raise SignatureInvalidError(f"no known log key has signed the newer checkpoint of {origin}", step="log key")
    return verify_checkpoint(note, chosen[0], origin)


def _require_length(data: bytes) -> None:
    if len(data) > MAX_FILE_BYTES:
        raise TooLargeError(f"a consistency proof of {len(data)} bytes; at most {MAX_FILE_BYTES} are read")
