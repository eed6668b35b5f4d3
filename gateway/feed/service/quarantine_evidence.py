"""Files that are kept as evidence of a partner's misbehaviour.

Of a feed's quarantine, at its recipient (evidence.service.quarantine_check verifies them):

held.checkpoint      the publisher's checkpoint of what is stored here
received.checkpoint  the one that came
held.proof           root of the stored tree at the received size, then the proof that the held one grew from it;
                     lines of base64; only where the received checkpoint has fewer entries than the held one
received.proof       the publisher's proof of consistency that failed, if one was asked for
batch.binpb          the batch that came, if one did
directory.note       the directory in force then
problem.txt          the feed's name and a sentence

Of a receipt that its recipient denies, at the feed's publisher (evidence.service.claim_check verifies them):

receipt.checkpoint   the publisher's checkpoint with the recipient's cosignature
claim.note           the recipient's later claim to hold less
directory.note, problem.txt as above
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.errors import GatewayError, MalformedError
from gateway.feed.service.continuity.soundness import provable_root_at
from gateway.feed.tables.feeds import Feed
from gateway.feed.tables.heads import StoredTiles
from gateway.files import OWNER_ONLY, replace_file
from gateway.tlog.checkpoint import unverified_checkpoint
from gateway.tlog.encoding import decode_hash, encode_base64
from gateway.tlog.merkle import consistency_proof
from gateway.translation.plain_text import printable_line

HELD: Final = "held.checkpoint"
HELD_PROOF: Final = "held.proof"
RECEIVED: Final = "received.checkpoint"
RECEIVED_PROOF: Final = "received.proof"
BATCH: Final = "batch.binpb"
DIRECTORY: Final = "directory.note"
PROBLEM: Final = "problem.txt"
RECEIPT: Final = "receipt.checkpoint"
CLAIM: Final = "claim.note"


def keep_evidence(
    folder: Path, files: Mapping[str, bytes], *, directory: bytes, origin: FeedOrigin, problem: str
) -> None:
    """Stores files with the directory in force; PROBLEM last, which tells that the others are there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    said = f"{origin}\n{printable_line(problem)}\n".encode()
    for name, content in {**files, DIRECTORY: directory, PROBLEM: said}.items():
        replace_file(folder / name, content, mode=OWNER_ONLY)


def held_proof(conn: Connection, feed: Feed, held: bytes, received: bytes) -> dict[str, bytes]:
    """The file `held.proof`, or none where the received checkpoint isn't of fewer entries than the held one.

    Args:
        held, received: checkpoints with their signatures. Nothing may be held yet, and what a partner sent may be no
            checkpoint.

    Raises:
        FeedDamagedError: the stored tree doesn't lead to the held checkpoint.
    """
    try:
        old = unverified_checkpoint(received)
    except GatewayError:
        return {}
    if not held:
        return {}
    new = unverified_checkpoint(held)
    if not 0 < old.size < new.size:
        return {}
    root = provable_root_at(conn, feed, old.size)
    return {HELD_PROOF: encode_hashes([root, *consistency_proof(old.size, new.size, StoredTiles(conn, feed.id))])}


def parse_held_proof(data: bytes) -> tuple[bytes, list[bytes]]:
    """Root and proof of `held.proof`; raises MalformedError."""
    lines = data.removesuffix(b"\n").split(b"\n")
    if not data.endswith(b"\n"):
        raise MalformedError(f"{HELD_PROOF} has no line end")
    root, *hashes = [decode_hash(line, f"line {number} of {HELD_PROOF}") for number, line in enumerate(lines, 1)]
    return root, hashes


def encode_hashes(hashes: Sequence[bytes]) -> bytes:
    """One line of base64 for each hash."""
    return b"".join(encode_base64(node) + b"\n" for node in hashes)
