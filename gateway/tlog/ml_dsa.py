"""ML-DSA-44 on checkpoints (C2SP tlog-cosignature, signature type 0x06): it holds against a quantum computer."""

from __future__ import annotations

from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from gateway.errors import MalformedError
from gateway.tlog.encoding import decode_decimal, decode_hash, encode_text
from gateway.tlog.merkle import MAX_TREE_SIZE

PUBLIC_KEY_BYTES: Final = 1312
SIGNATURE_BYTES: Final = 2420
"""FIPS 204."""

_LABEL: Final = b"subtree/v1\n\0"
_LINES: Final = 3
_MAX_NAME_BYTES: Final = 255


class MlDsaSigner(Protocol):
    """A named ML-DSA-44 private key. Thread-safe; equal messages get different signatures."""

    @property
    def name(self) -> str:
        """Not empty, no Unicode spaces, no plus sign."""
        ...

    @property
    def public_key(self) -> bytes:
        """1,312 bytes (FIPS 204)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Signs a message, 2,420 bytes (FIPS 204, pure, empty context)."""
        ...


def public_key(data: bytes) -> MLDSA44PublicKey:
    """The key; raises MalformedError unless it has PUBLIC_KEY_BYTES."""
    if len(data) != PUBLIC_KEY_BYTES:
        raise MalformedError(f"an ML-DSA-44 public key has {PUBLIC_KEY_BYTES} bytes, not {len(data)}")
    return MLDSA44PublicKey.from_public_bytes(data)


def signed_message(text: bytes, name: str, timestamp: int) -> bytes:
    """What a key of this name signs for a checkpoint: a `cosigned_message` from the tree's first leaf on.

    Args:
        text: the checkpoint's three lines. Further lines would be left unsigned, so they are refused.
        timestamp: POSIX seconds; 0 in a log's own signature, which doesn't say when.

    Raises:
        MalformedError: another text, or a name of more than 255 bytes.
    """
    *lines, rest = text.split(b"\n")
    signer = encode_text(name, "key name")
    if len(lines) != _LINES or rest or not 0 < len(lines[0]) <= _MAX_NAME_BYTES or len(signer) > _MAX_NAME_BYTES:
        raise MalformedError(
            f"signatures of type 0x06 are on checkpoints of {_LINES} lines; names have at most {_MAX_NAME_BYTES} bytes"
        )
    origin, size = lines[0], decode_decimal(lines[1], "tree size", MAX_TREE_SIZE)
    root = decode_hash(lines[2], "root hash")
    return b"".join(
        (
            _LABEL,
            bytes([len(signer)]),
            signer,
            timestamp.to_bytes(8, "big"),
            bytes([len(origin)]),
            origin,
            bytes(8),  # the first leaf's index
            size.to_bytes(8, "big"),
            root,
        )
    )
