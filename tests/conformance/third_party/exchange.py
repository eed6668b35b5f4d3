"""Our side of the exchange with the Go program beside this file: `write` what it verifies, `read` what it wrote."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gateway.tlog.checkpoint import Checkpoint, cosign, sign_checkpoint, verify_checkpoint, verify_cosignature
from gateway.tlog.merkle import Tree, consistency_proof, inclusion_proof, leaf_hash
from gateway.tlog.note import SignatureType, Verifier, add_signature, open_note
from gateway.tlog.proof_file import TlogProof
from tests.support.merkle_oracle import MemoryTiles
from tests.support.published_tiles import tile_path, tiles_of
from tests.support.tlog_keys import TestKey

LOG = TestKey("gba.customs.example/cn/hk/alerts", "log")
COSIGNER = TestKey("gba.customs.example/hk/receipts", "cosigner")
TIME = 1_768_435_200
SIZES = [1, 2, 3, 255, 256, 257, 1000, 65536, 70_000]


def entry(index: int) -> bytes:
    """What leaf number `index` commits to; the Go program makes the same."""
    return b"entry header %d" % index


def write(folder: Path) -> None:
    """Write keys, checkpoints, tiles and proofs."""
    tree, tiles = Tree.empty(), MemoryTiles()
    (folder / "log.vkey").write_text(LOG.verifier().to_vkey())
    # The library takes a cosigner's key in its type 0x01 form and derives the type 0x04 key id from it.
    (folder / "cosigner.vkey").write_text(COSIGNER.verifier().to_vkey())
    for size in SIZES:
        growth = tree.append([leaf_hash(entry(index)) for index in range(tree.size, size)])
        tiles.apply(growth.tiles)
        tree = growth.tree
        note = sign_checkpoint(Checkpoint(LOG.name, size, tree.root), LOG)
        note = add_signature(note, cosign(note, COSIGNER, TIME))
        (folder / f"checkpoint.{size}").write_bytes(note)
        _write_tiles(folder, size, tiles)
        _write_proofs(folder, size, tiles, note)


def _write_tiles(folder: Path, size: int, tiles: MemoryTiles) -> None:
    for level, tile, width in tiles_of(size):
        path = folder / tile_path(level, tile, width)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiles.hashes(level, tile * 256, width))


def _write_proofs(folder: Path, size: int, tiles: MemoryTiles, note: bytes) -> None:
    for index in sorted({0, size // 3, size // 2, size - 1}):
        proof = TlogProof(index, tuple(inclusion_proof(index, size, tiles)), note)
        (folder / f"{size}.{index}.tlog-proof").write_bytes(proof.encode())
    for old in (old for old in SIZES if old < size):
        proof_hashes = [each.hex() for each in consistency_proof(old, size, tiles)]
        (folder / f"consistency.{old}.{size}").write_text(json.dumps(proof_hashes))


def read(folder: Path) -> None:
    """Verify the checkpoint that Go signed and cosigned, under the keys that Go wrote."""
    note = (folder / "go.checkpoint").read_bytes()
    log = Verifier.from_vkey((folder / "go.log.vkey").read_text())
    plain = Verifier.from_vkey((folder / "go.cosigner.vkey").read_text())
    cosigner = Verifier(plain.name, plain.public_key, SignatureType.COSIGNATURE)
    checkpoint = verify_checkpoint(note, log, log.name).checkpoint
    statement = verify_cosignature(note, cosigner)
    open_note(note, [log, cosigner], threshold=2)
    sys.stdout.write(f"we verify Go's checkpoint of {checkpoint.size} leaves, cosigned at {statement.timestamp}\n")


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](Path(sys.argv[2]))
