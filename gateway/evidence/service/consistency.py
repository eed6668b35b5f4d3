"""Proves that a feed still begins with the entries under a checkpoint in old evidence.

1. evidence: the bundle verifies (`check`), with or without a receipt.
2. keys: the trusted directory's for the feed's publisher, unrevoked. Nothing states the newer checkpoint's time, so a
   revoked key doesn't count for it.
3. checkpoint: one of these keys has signed the newer checkpoint of the same feed.
4. consistency: the proof leads from the alert's checkpoint to the newer one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, NotFoundError, Violation
from gateway.evidence.codec.bundle import DIRECTORY, Bundle
from gateway.evidence.service.check import trusted_directory, verify
from gateway.evidence.service.report import VerifiedEvidence
from gateway.feed.tables import feeds, heads
from gateway.feed.tables.heads import StoredTiles
from gateway.plurals import counted
from gateway.tlog.checkpoint import Checkpoint
from gateway.tlog.consistency_file import ConsistencyProof, verify_consistency_file
from gateway.tlog.merkle import consistency_proof
from gateway.tlog.note import Verifier
from gateway.trust.service.directory_versions import RootOfTrust, TrustedDirectory


@dataclass(frozen=True, slots=True)
class VerifiedExtension:
    """A feed that only grew, from the checkpoint in the evidence to a newer one."""

    evidence: VerifiedEvidence
    newer: Checkpoint

    @property
    def older(self) -> Checkpoint:
        """The checkpoint that covers the alert."""
        return self.evidence.alert.checkpoint


def prove_consistency(database: Database, origin_line: str, old_size: int) -> ConsistencyProof:
    """Makes the proof from a size of a stored feed to its present one.

    Raises:
        InvalidRequestError: not the name of a feed, or more entries than it has here.
        NotFoundError: this node doesn't store the feed.
    """
    origin = FeedOrigin.of_request(origin_line)
    with database.read() as conn:
        feed = begun_feed(conn, origin)
        if old_size > feed.size:
            problem = f"{origin} has {counted(feed.size, 'entry')} here, fewer than {old_size}"
            raise InvalidRequestError([Violation("old_size", "old_size.range", problem)])
        hashes = consistency_proof(old_size, feed.size, StoredTiles(conn, feed.id))
        checkpoint = heads.checkpoint_at(conn, feed.id, feed.size)
    note = checkpoint.cosigned_note if checkpoint is not None else feed.checkpoint
    return ConsistencyProof(old_size, tuple(hashes), note)


def begun_feed(conn: Connection, origin: FeedOrigin) -> feeds.Feed:
    """A stored feed that has entries; raises NotFoundError."""
    feed = feeds.find(conn, origin)
    if feed is None or not feed.size:
        raise NotFoundError(f"there are no entries of {origin} here")
    return feed


def verify_extension(
    bundle: Bundle,
    proof: bytes,
    *,
    anchors: RootOfTrust | None = None,
    directory_note: bytes | None = None,
) -> VerifiedExtension:
    """Verifies by these steps, without network, database or clock.

    `proof` is from `prove_consistency`; other arguments are as for `check.verify`.

    Raises:
        VerificationError: a step fails.
        MalformedError: the proof isn't in canonical form.
        ConfigurationError: neither anchors nor a directory were given.
    """
    evidence = verify(bundle, anchors=anchors, directory_note=directory_note, require_receipt=False)  # 1
    trust = trusted_directory(bundle.files[DIRECTORY], anchors, directory_note, [])
    keys = _unrevoked_keys(trust, evidence.alert.origin)  # 2
    newer = verify_consistency_file(proof, evidence.alert.checkpoint, keys)  # 3, 4
    return VerifiedExtension(evidence, newer.checkpoint)


def _unrevoked_keys(trust: TrustedDirectory, origin: FeedOrigin) -> list[Verifier]:
    records = trust.directory.signer(origin.publisher).log_keys
    revoked = {record.public_key for record in records if record.revoked_at}
    return [key for key in trust.every_log_verifier(origin) if key.public_key not in revoked]
