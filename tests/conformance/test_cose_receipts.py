"""Another's library for RFC 9942 (scitt-cose) verifies our COSE receipts, and refuses what was changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from scitt_cose import build_receipt

from gateway.errors import MalformedError
from gateway.evidence.codec.bundle import HEADER
from gateway.evidence.service.cose_export import RECEIPT
from gateway.tlog.checkpoint import Checkpoint
from gateway.tlog.cose_receipt import parse_cose_receipt, sign_cose_receipt
from gateway.tlog.merkle import Tree, inclusion_proof, leaf_hash
from tests.support.cose import cose_receipts, verdict
from tests.support.databases import new_database
from tests.support.merkle_oracle import MemoryTiles
from tests.support.nodes import exchange, paper_nodes
from tests.support.tlog_keys import TestKey

LOG = TestKey("gba.customs.example/cn/hk/alerts", "log")
DATA = [b"entry header %d" % number for number in range(300)]


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
        result = verdict(receipt, DATA[index], LOG.public_key)
        assert result.ok, result.errors
        assert (result.root, result.tree_size, result.leaf_index) == (head.root.hex(), size, index)
        assert (result.issuer, result.subject) == ("gba.customs.example/cn", LOG.name)
        assert not verdict(receipt, b"another record", LOG.public_key).ok
        assert not verdict(receipt, DATA[index], TestKey(LOG.name, "another").public_key).ok
        assert not verdict(receipt + b"\0", DATA[index], LOG.public_key).ok
        assert not verdict(receipt[:-1] + bytes([receipt[-1] ^ 1]), DATA[index], LOG.public_key).ok


def test_another_library_verifies_a_nodes_receipt(tmp_path: Path) -> None:
    """Exported from a node's feed: the receipt, the header's bytes and the public key are enough."""
    numbers = iter(range(9))
    with paper_nodes(tmp_path, lambda: new_database(f"sqlite:///{tmp_path}/{next(numbers)}.sqlite3")) as (cn, hk):
        alert_ids = [cn.publish("hk") for _ in range(3)]
        exchange(cn, hk)
        receipts = cose_receipts(cn)
        files = receipts.of_alert("cn", alert_ids[1]).files
        (key,) = (record.public_key for record in cn.trust.directory.signer("cn").log_keys)
        result = verdict(files[RECEIPT], files[HEADER], key)
        assert result.ok, result.errors
        assert (result.tree_size, result.leaf_index, result.subject) == (3, 1, cn.origin("hk").line)
        assert not verdict(files[RECEIPT], receipts.of_alert("cn", alert_ids[2]).files[HEADER], key).ok
    cn.database.close()
    hk.database.close()


def test_receipts_of_others_without_a_feeds_claims_are_refused() -> None:
    """Theirs name no feed, so nothing says whose key counts; those that do leave size and index unsigned."""
    private_key = LOG.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    records = [data.hex() for data in DATA[:5]]
    for named in ({}, {"iss": "gba.customs.example/cn", "sub": LOG.name, "kid": LOG.verifier().key_id, "iat": 1}):
        theirs = build_receipt(
            leaf_entry_hex=records[3],
            leaf_index=3,
            tree_entries_hex=records,
            alg="EdDSA",
            log_private_key_pem=private_key,
            **named,  # type: ignore[arg-type]
        )
        assert verdict(theirs, DATA[3], LOG.public_key).ok
        with pytest.raises(MalformedError, match="claims of a feed"):
            parse_cose_receipt(theirs)
