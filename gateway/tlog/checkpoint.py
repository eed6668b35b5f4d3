"""Checkpoints: a log's signed tree head as a note (C2SP tlog-checkpoint), and its cosignatures (tlog-cosignature).

Callers check the root over stored bytes, consistency with earlier checkpoints, and that a log never signs two that
differ.

Where log or cosigner has a second key, of ML-DSA-44 (type 0x06), its line follows that of the first; a reader whose
`Verifier` names second keys requires both, others ignore it.

A cosignature, timestamped Ed25519 of signature type 0x04, states that its cosigner saw this tree head, at that time, as
the largest consistent one of the log. The cosigner verifies this before it calls `cosign`; readers decide whether the
time is plausible.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from gateway.errors import MalformedError, SignatureInvalidError, TooLargeError
from gateway.tlog import ml_dsa
from gateway.tlog.encoding import (
    HASH_BYTES,
    decode_decimal,
    decode_hash,
    decode_text,
    encode_base64,
    encode_text,
    has_control_characters,
)
from gateway.tlog.merkle import EMPTY_ROOT, MAX_TREE_SIZE
from gateway.tlog.note import (
    MAX_TIMESTAMP,
    NoteSignature,
    SignatureType,
    Signer,
    UnverifiedNote,
    VerifiedSignature,
    Verifier,
    cosigned_message,
    key_id,
    open_note,
    parse_note,
    parse_signature_line,
    sign_note,
    verify_signature,
)

MAX_BODY_BYTES = 4096
"""Largest body in bytes; three lines take some 200."""

_LEAST_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree head.

    Attributes:
        origin: the log's name, one line.
        size: leaves in the tree.
        root: Merkle tree hash, 32 bytes.
        extensions: further lines, opaque.

    Raises:
        MalformedError: a value can't be encoded.
        TooLargeError: its body would exceed MAX_BODY_BYTES.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            if not line or has_control_characters(encode_text(line, "checkpoint line"), newline_allowed=False):
                raise MalformedError(f"checkpoint line {line!r} is empty or has control characters")
        if not 0 <= self.size <= MAX_TREE_SIZE:
            raise MalformedError(f"checkpoint of {self.origin}: no tree has {self.size} leaves")
        if len(self.root) != HASH_BYTES or (self.size == 0 and self.root != EMPTY_ROOT):
            raise MalformedError(f"checkpoint of {self.origin}: that isn't the root of a tree of {self.size} leaves")
        _require_length(self.body())

    def body(self) -> bytes:
        """The note's text: origin, size, root and extensions, a line each."""
        lines = (self.origin, str(self.size), encode_base64(self.root).decode(), *self.extensions)
        return ("\n".join(lines) + "\n").encode()


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint signed by its log, with the note."""

    checkpoint: Checkpoint
    note: bytes


def parse_checkpoint_body(body: bytes) -> Checkpoint:
    """Parses a body without verifying it; raises TooLargeError or MalformedError."""
    _require_length(body)
    lines = body.split(b"\n")
    if lines.pop() or len(lines) < _LEAST_LINES:
        raise MalformedError("a checkpoint has an origin, a tree size and a root hash, each on a line of its own")
    origin, size, root, *extensions = lines
    return Checkpoint(
        decode_text(origin, "checkpoint origin"),
        decode_decimal(size, "tree size", MAX_TREE_SIZE),
        decode_hash(root, "root hash"),
        tuple(decode_text(line, "checkpoint extension") for line in extensions),
    )


def unverified_checkpoint(note: bytes) -> Checkpoint:
    """The checkpoint in a note whose signatures nobody has verified; raises TooLargeError or MalformedError."""
    return parse_checkpoint_body(parse_note(note).unverified_text)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """Signs a checkpoint with a type 0x01 signature of its log, and with its second key where it has one.

    The caller ensures that the log signs no other of this size.

    Raises:
        MalformedError: a key isn't named as the log.
    """
    if signer.name != checkpoint.origin:
        raise MalformedError(f"the key {signer.name!r} can't sign for the log {checkpoint.origin!r}")
    body = checkpoint.body()
    return sign_note(body, [signer]) + second_line(body, signer)


def second_line(body: bytes, signer: Signer, timestamp: int = 0) -> bytes:
    """The line of the signer's second key on a checkpoint; empty without one.

    Args:
        timestamp: of a cosignature, POSIX seconds; 0 for a log's own.

    Raises:
        MalformedError: the key has another name than the first, or the checkpoint has further lines.
    """
    second = signer.second
    if second is None:
        return b""
    if second.name != signer.name:
        raise MalformedError(f"the second key is named {second.name!r}, the first {signer.name!r}")
    signature = second.sign(ml_dsa.signed_message(body, second.name, timestamp))
    identity = key_id(second.name, SignatureType.ML_DSA_44, second.public_key)
    return NoteSignature(second.name, identity, timestamp.to_bytes(8, "big") + signature).line()


def first_lines(note: bytes) -> bytes:
    """The note without lines of second keys, told by their length: some hundred bytes, for a place that has no more."""
    parsed = parse_note(note)
    first = tuple(line for line in parsed.signatures if len(line.signature) < ml_dsa.SIGNATURE_BYTES)
    return UnverifiedNote(parsed.unverified_text, first).encode()


def verify_checkpoint(note: bytes, verifier: Verifier, origin: str) -> VerifiedCheckpoint:
    """Verifies a log's checkpoint; ignores cosignatures.

    1. The key is the log's: named as the log, signature type 0x01 (a cosigner's key can't sign for a log).
    2. The note is in canonical form and the log's signature over its text is valid; where the log has second keys, one
       of them has signed too.
    3. The text is a checkpoint in canonical form.
    4. Its origin is the expected log.

    Raises:
        MalformedError: step 2 or 3, a wrong form.
        SignatureInvalidError: step 1, 2 or 4.
    """
    if verifier.name != origin or verifier.algorithm is not SignatureType.ED25519:  # 1
        raise SignatureInvalidError(f"{verifier.to_vkey()} isn't a key of the log {origin}", step="log key")
    verified = open_note(note, [verifier])  # 2
    _require_second(verified.text, verified.lines, verifier)
    checkpoint = parse_checkpoint_body(verified.text)  # 3
    if checkpoint.origin != origin:  # 4
        raise SignatureInvalidError(f"the checkpoint is of {checkpoint.origin}, not of {origin}", step="origin")
    return VerifiedCheckpoint(checkpoint, note)


def _require_length(body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise TooLargeError(f"a checkpoint body of {len(body)} bytes; at most {MAX_BODY_BYTES} are read")


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
    """Returns a signature line for a checkpoint whose signature and root the caller has verified; two lines where the
    cosigner has a second key.

    Args:
        timestamp: now, POSIX seconds.

    Raises:
        MalformedError: not a checkpoint, or the time is out of range.
    """
    text = parse_note(note).unverified_text
    parse_checkpoint_body(text)
    return _cosignature(text, signer, timestamp) + second_line(text, signer, timestamp)


def sign_held(checkpoint: Checkpoint, signer: Signer, timestamp: int) -> bytes:
    """A note whose only signature is the cosigner's, over a tree head that no log has signed.

    Its origin must be no log's, or this would be a cosignature on that log's checkpoint. Arguments and errors are as of
    `cosign`; `verify_cosignature` verifies it.
    """
    body = checkpoint.body()
    return b"%b\n%b" % (body, _cosignature(body, signer, timestamp))


def _cosignature(text: bytes, signer: Signer, timestamp: int) -> bytes:
    if not 0 <= timestamp <= MAX_TIMESTAMP:
        raise MalformedError(f"cosignature time {timestamp} is out of range")
    identity = key_id(signer.name, SignatureType.COSIGNATURE, signer.public_key)
    signature = signer.sign(cosigned_message(text, timestamp))
    line = NoteSignature(signer.name, identity, timestamp.to_bytes(8, "big") + signature).line()
    parse_signature_line(line)  # refuses an invalid key name
    return line


def verify_cosignature(note: bytes, verifier: Verifier) -> VerifiedCosignature:
    """Verifies a known cosigner's cosignature in a checkpoint's note.

    1. The key is a cosigner's: signature type 0x04.
    2. The note is in canonical form; it has a signature of this cosigner, and all of them are valid; where the cosigner
       has second keys, one of them has signed too, with the same time.
    3. The text is a checkpoint in canonical form.

    Of several cosignatures the latest counts.

    Raises:
        MalformedError: step 2 or 3, a wrong form.
        SignatureInvalidError: step 1 or 2.
    """
    _require_cosigner(verifier)  # 1
    verified = open_note(note, [verifier])  # 2
    checkpoint = parse_checkpoint_body(verified.text)  # 3
    latest = max(
        (_statement(signature, checkpoint) for signature in verified.signatures), key=lambda each: each.timestamp
    )
    _require_second(verified.text, verified.lines, verifier, latest.timestamp)
    return latest


def verify_cosignature_lines(note: bytes, lines: bytes, verifier: Verifier) -> VerifiedCosignature:
    """As `verify_cosignature`, for what `cosign` returned, apart from its note, whose signatures are ignored."""
    _require_cosigner(verifier)  # 1
    text = parse_note(note).unverified_text
    first, *others = map(parse_signature_line, lines.splitlines(keepends=True) or [lines])
    if len(others) > 1:
        raise MalformedError(f"a cosignature has one line, or two with a second key, not {len(others) + 1}")
    statement = _statement(verify_signature(text, first, verifier), parse_checkpoint_body(text))  # 2, 3
    _require_second(text, others, verifier, statement.timestamp)
    return statement


def _require_second(
    text: bytes, signatures: Iterable[NoteSignature], verifier: Verifier, timestamp: int | None = None
) -> None:
    """Requires a second key's signature where the verifier names any; `timestamp`: of the first cosignature."""
    if not verifier.second or (timestamp is not None and timestamp < verifier.second_since):
        return
    known = {(second.name, second.key_id): second for second in verifier.second}
    for signature in signatures:
        second = known.get((signature.name, signature.key_id))
        if second is not None:
            said = verify_signature(text, signature, second)
            if timestamp is not None and said.timestamp != timestamp:
                raise SignatureInvalidError("its second signature is of another time", step="second key")
            return
    raise SignatureInvalidError(f"{verifier.name} has signed without its second key, ML-DSA-44", step="second key")


def _require_cosigner(verifier: Verifier) -> None:
    if verifier.algorithm is not SignatureType.COSIGNATURE:
        raise SignatureInvalidError(f"{verifier.to_vkey()} isn't a cosigner's key", step="cosigner key")


def _statement(signature: VerifiedSignature, checkpoint: Checkpoint) -> VerifiedCosignature:
    # `_require_cosigner` has checked the type, so the time is set.
    return VerifiedCosignature(signature.verifier.name, cast("int", signature.timestamp), checkpoint)
