"""COSE receipts of paper nodes, and what another's library for RFC 9942 (scitt-cose) says of one."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scitt_cose import ReceiptResult, verify_receipt

from gateway.evidence.service.cose_export import CoseReceiptExport
from tests.support.nodes import PaperNode


def verdict(receipt: bytes, record: bytes, key: bytes) -> ReceiptResult:
    """On a record's bytes, with the log's public key, 32 bytes."""
    pem = Ed25519PublicKey.from_public_bytes(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return verify_receipt(receipt, leaf_entry_hex=record.hex(), log_public_key_pem=pem.decode())


def cose_receipts(node: PaperNode) -> CoseReceiptExport:
    """As a node's service of evidence has it."""
    return CoseReceiptExport(
        node.database,
        node=node.name,
        trust=lambda: node.trust,
        signers=node.signers,
        release_heads=lambda: None,
        clock=node.clock,
    )
