"""Another's library for RFC 9942 (scitt-cose) verifies our COSE receipts, and refuses what was changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scitt_cose import ReceiptResult, build_receipt, verify_receipt

from gateway.errors import MalformedError
from gateway.evidence.codec.bundle import HEADER
from gateway.evidence.service.cose_export import RECEIPT, CoseReceiptExport
from gateway.tlog.checkpoint import Checkpoint
from gateway.tlog.cose_receipt import parse_cose_receipt, sign_cose_receipt
from gateway.tlog.merkle import Tree, inclusion_proof, leaf_hash
from tests.support.databases import new_database
from tests.support.merkle_oracle import MemoryTiles
from tests.support.nodes import exchange, paper_nodes
from tests.support.tlog_keys import TestKey

LOG = TestKey("gba.customs.example/cn/hk/alerts", "log")
DATA = [b"entry header %d" % number for number in range(300)]


def pem(key: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public_key = Ed25519PublicKey.from_public_bytes(key)
    return public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def verdict(receipt: bytes, record: bytes, key: bytes = LOG.public_key) -> ReceiptResult:
    return verify_receipt(receipt, leaf_entry_hex=record.hex(), log_public_key_pem=pem(key))


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 300])
def test_another_library_verifies_our_receipts(size: int) -> None:
    growth, tiles = Tree.empty().append([leaf_hash(data) for data in DATA[:size]]), MemoryTiles()
    tiles.apply(growth.tiles)
    head = Checkpoint(LOG.name, size, growth.tree.root)
    for index in sorted({0, size // 3, size // 2, size - 1}):
        hashes = tuple(inclusion_proof(index, size, tiles))
        receipt = sign_cose_receipt(
            head, index, hashes, leaf_hash(DATA[index]), issuer="gba.customs.example/cn", at=1_770_000_000, signer=LOG
        )
        result = verdict(receipt, DATA[index])
        assert result.ok, result.errors
        assert (result.root, result.tree_size, result.leaf_index) == (head.root.hex(), size, index)
        assert (result.issuer, result.subject) == ("gba.customs.example/cn", LOG.name)
        assert not verdict(receipt, b"another record").ok
        assert not verdict(receipt, DATA[index], TestKey(LOG.name, "another").public_key).ok
        assert not verdict(receipt + b"\0", DATA[index]).ok
        assert not verdict(receipt[:-1] + bytes([receipt[-1] ^ 1]), DATA[index]).ok


def test_another_library_verifies_a_nodes_receipt(tmp_path: Path) -> None:
    """Exported from a node's feed: the receipt, the header's bytes and the public key are enough."""
    numbers = iter(range(9))
    with paper_nodes(tmp_path, lambda: new_database(f"sqlite:///{tmp_path}/{next(numbers)}.sqlite3")) as (cn, hk):
        alert_ids = [cn.publish("hk") for _ in range(3)]
        exchange(cn, hk)
        receipts = CoseReceiptExport(
            cn.database,
            node="cn",
            trust=lambda: cn.trust,
            signers=cn.signers,
            release_heads=lambda: None,
            clock=cn.clock,
        )
        files = receipts.of_alert("cn", alert_ids[1]).files
        (key,) = (record.public_key for record in cn.trust.directory.signer("cn").log_keys)
        result = verdict(files[RECEIPT], files[HEADER], key)
        assert result.ok, result.errors
        assert (result.tree_size, result.leaf_index, result.subject) == (3, 1, cn.origin("hk").line)
        assert not verdict(files[RECEIPT], receipts.of_alert("cn", alert_ids[2]).files[HEADER], key).ok
    cn.database.close()
    hk.database.close()


def test_receipts_of_others_without_a_feeds_claims_are_refused() -> None:
    """Theirs name no feed, so nothing says whose key counts."""
    assert build_receipt is not None
    with pytest.raises(MalformedError):
        parse_cose_receipt(b"\xd2\x84\x43\xa1\x01\x27\xa0\xf6\x40")
