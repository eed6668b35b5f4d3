"""What another's library for RFC 9942 (scitt-cose) says of a COSE receipt."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scitt_cose import ReceiptResult, verify_receipt


def verdict(receipt: bytes, record: bytes, key: bytes) -> ReceiptResult:
    """On a record's bytes, with the log's public key, 32 bytes."""
    pem = Ed25519PublicKey.from_public_bytes(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return verify_receipt(receipt, leaf_entry_hex=record.hex(), log_public_key_pem=pem.decode())
