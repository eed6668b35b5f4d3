"""Tlog-proof files: inclusion of an entry in a signed and cosigned log, verifiable offline (C2SP tlog-proof)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import ConfigurationError, MalformedError, SignatureInvalidError, TooLargeError
from gateway.tlog.checkpoint import (
    VerifiedCheckpoint,
    VerifiedCosignature,
    parse_checkpoint_body,
    verify_checkpoint,
    verify_cosignature,
)
from gateway.tlog.encoding import HASH_BYTES, decode_base64, decode_decimal, decode_hash, encode_base64
from gateway.tlog.merkle import MAX_TREE_SIZE
from gateway.tlog.note import Verifier, parse_note
from gateway.tlog.proofs import verify_inclusion

MAX_PROOF_BYTES = 1 << 18
"""Largest file in bytes: 63 hashes, a checkpoint with post-quantum signatures (5 kB), and extra data."""

MAX_EXTRA_BYTES = 1 << 16
"""Most extra data in bytes."""

MAX_HASHES = 63
"""Most hashes of an inclusion proof: the height of the largest tree."""

_FIRST_LINE = b"c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A file's content, unverified.

    Attributes:
        index: number of the entry, from 0.
        hashes: inclusion proof, 32 bytes each, the leaf's sibling first.
        checkpoint_note: the checkpoint with its signatures, verbatim.
        extra: unauthenticated data, or None.

    Raises:
        MalformedError: a value can't be encoded.
        TooLargeError: it exceeds a limit of this module.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint_note: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.index < MAX_TREE_SIZE:
            raise MalformedError(f"no log has an entry {self.index}")
        if len(self.hashes) > MAX_HASHES or any(len(digest) != HASH_BYTES for digest in self.hashes):
            raise MalformedError(f"an inclusion proof has at most {MAX_HASHES} hashes of {HASH_BYTES} bytes")
        if self.extra == b"":
            raise MalformedError("extra data is left out when there is none, never empty")
        if self.extra and len(self.extra) > MAX_EXTRA_BYTES:
            raise TooLargeError(f"extra data of {len(self.extra)} bytes; at most {MAX_EXTRA_BYTES} are read")
        parse_checkpoint_body(parse_note(self.checkpoint_note).unverified_text)

    def encode(self) -> bytes:
        """Encodes the file byte for byte as parsed.

        Raises:
            TooLargeError: it would exceed MAX_PROOF_BYTES.
        """
        lines = [_FIRST_LINE]
        if self.extra is not None:
            lines.append(b"extra " + encode_base64(self.extra))
        lines += [b"index %d" % self.index, *map(encode_base64, self.hashes), b"", self.checkpoint_note]
        data = b"\n".join(lines)
        _require_length(data)
        return data


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """The verified content of a proof file.

    Attributes:
        index: number of the entry.
        leaf_hash: of the entry, 32 bytes.
        cosignatures: of known cosigners, in the order of the keys given.
    """

    index: int
    leaf_hash: bytes
    checkpoint: VerifiedCheckpoint
    cosignatures: tuple[VerifiedCosignature, ...]
    unauthenticated_extra: bytes | None


def parse_proof(data: bytes) -> TlogProof:
    """Parses a proof file without verifying it.

    Raises:
        TooLargeError: longer than MAX_PROOF_BYTES, or a part exceeds its limit.
        MalformedError: not in canonical form.
    """
    _require_length(data)
    head, separator, checkpoint_note = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    if first != _FIRST_LINE or not separator:
        raise MalformedError("a proof starts with 'c2sp.org/tlog-proof@v1' and has an empty line before its checkpoint")
    extra = None
    if lines and lines[0].startswith(b"extra "):
        extra = decode_base64(lines.pop(0).removeprefix(b"extra "), "extra data")
    if not lines or not lines[0].startswith(b"index "):
        raise MalformedError("a proof needs an index line")
    index = decode_decimal(lines.pop(0).removeprefix(b"index "), "index", MAX_TREE_SIZE - 1)
    hashes = tuple(decode_hash(line, f"proof hash {number}") for number, line in enumerate(lines, 1))
    return TlogProof(index, hashes, checkpoint_note, extra)


def verify_proof(
    proof: bytes, leaf_hash: bytes, log_verifier: Verifier, cosigner_verifiers: Sequence[Verifier], required: int
) -> VerifiedProof:
    """Verifies a proof file by the specification's steps.

    1. The leaf hash: computed by the caller from the entry's bytes, never taken from the file.
    2. The checkpoint is of the log of `log_verifier`, and signed by that key.
    3. Cosignatures of known cosigners are valid, and at least `required` of them are there (one key counts once, the
       log's never).
    4. The inclusion proof leads from the leaf hash to the checkpoint's root.

    Args:
        leaf_hash: 32 bytes.
        log_verifier: the log's key, named as the log's origin.
        cosigner_verifiers: known cosigners' keys, type 0x04.
        required: may be 0.

    Raises:
        MalformedError: the file isn't in canonical form.
        SignatureInvalidError: step 2 or 3.
        ProofInvalidError: step 4.
        ConfigurationError: `required` is negative.
    """
    if required < 0:
        raise ConfigurationError("a negative number of cosignatures can't be required")
    unverified = parse_proof(proof)
    note = unverified.checkpoint_note
    checkpoint = verify_checkpoint(note, log_verifier, log_verifier.name)  # 2
    cosignatures = _verify_cosignatures(note, log_verifier, cosigner_verifiers, required)  # 3
    head = checkpoint.checkpoint
    verify_inclusion(leaf_hash, unverified.index, head.size, unverified.hashes, head.root)  # 4
    return VerifiedProof(unverified.index, leaf_hash, checkpoint, cosignatures, unverified.extra)


def _verify_cosignatures(
    note: bytes, log_verifier: Verifier, cosigners: Sequence[Verifier], required: int
) -> tuple[VerifiedCosignature, ...]:
    present = {(signature.name, signature.key_id) for signature in parse_note(note).signatures}
    signed = [cosigner for cosigner in cosigners if (cosigner.name, cosigner.key_id) in present]
    cosignatures = tuple(verify_cosignature(note, cosigner) for cosigner in signed)
    counted = len({cosigner.public_key for cosigner in signed} - {log_verifier.public_key})
    if counted < required:
        raise SignatureInvalidError(f"{counted} known cosigners signed; {required} are needed", step="cosignatures")
    return cosignatures


def _require_length(data: bytes) -> None:
    if len(data) > MAX_PROOF_BYTES:
        raise TooLargeError(f"a proof of {len(data)} bytes; at most {MAX_PROOF_BYTES} are read")
