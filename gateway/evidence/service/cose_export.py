"""Exports a COSE receipt: signs, for an entry of an own feed, a root that the feed's checkpoint has signed before.

No other root is ever signed, so that a receipt can't contradict a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, Violation
from gateway.evidence.codec.bundle import DIRECTORY, HEADER, Bundle
from gateway.evidence.service.consistency import begun_feed
from gateway.evidence.service.export import copy_of
from gateway.evidence.service.quarantine_check import signed_head
from gateway.feed.service.writing.transaction import LogSigners
from gateway.feed.tables import feeds
from gateway.feed.tables.heads import StoredTiles
from gateway.plurals import counted
from gateway.tlog.cose_receipt import sign_cose_receipt
from gateway.tlog.merkle import inclusion_proof, leaf_hash
from gateway.trust.service.directory_versions import TrustedDirectory

RECEIPT: Final = "receipt.cose"
"""Name of the receipt in a bundle; beside it are the entry's header and the directory."""


class CoseReceiptExport:
    """Signs receipts for entries of own feeds; thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        node: str,
        trust: Callable[[], TrustedDirectory],
        signers: LogSigners,
        release_heads: Callable[[], None],
        clock: Callable[[], int],
    ) -> None:
        """
        Args:
            release_heads: returns when the heads that were read may leave this node; raises StoreUnavailableError.
            clock: milliseconds since 1970.
        """
        self._database = database
        self._node = node
        self._trust = trust
        self._signers = signers
        self._release_heads = release_heads
        self._clock = clock

    def of_alert(self, publisher: str, alert_id: str, recipient: str = "") -> Bundle:
        """The receipt for an alert's publication; `recipient` may be empty if there is one copy.

        Raises:
            NotFoundError, InvalidRequestError, ErasedError: no such copy here, several, or a partner's.
            VerificationError: the stored feed is damaged.
            StoreUnavailableError: the head may not leave now, or the key's token isn't ready.
        """
        with self._database.read() as conn:
            row = copy_of(conn, publisher, alert_id, recipient)
            origin = feeds.get_by_id(conn, row.feed_id).origin
        return self._signed(origin, row.first_idx, "alert.publisher")

    def of_entry(self, origin_line: str, index: int) -> Bundle:
        """The receipt for an entry of a feed by its number, from 0; raises as `of_alert`."""
        return self._signed(FeedOrigin.of_request(origin_line), index, "origin")

    def _signed(self, origin: FeedOrigin, index: int, field: str) -> Bundle:
        if origin.publisher != self._node:
            problem = f"only {origin.publisher} can sign a receipt for {origin}: ask its gateway"
            raise InvalidRequestError([Violation(field, "cose_receipt.own", problem)])
        trust = self._trust()
        with self._database.read() as conn:
            feed = begun_feed(conn, origin)
            if index >= feed.size:
                problem = f"{origin} has {counted(feed.size, 'entry')}, numbered from 0: none is {index}"
                raise InvalidRequestError([Violation("index", "index.range", problem)])
            (header,) = feeds.read_headers(conn, feed.id, index, index + 1)
            hashes = tuple(inclusion_proof(index, feed.size, StoredTiles(conn, feed.id)))
        head = signed_head(feed.checkpoint, origin, trust)
        self._release_heads()
        receipt = sign_cose_receipt(
            head,
            index,
            hashes,
            leaf_hash(header),
            issuer=issuer_of(origin),
            at=self._clock() // 1000,
            signer=self._signers.for_feed(origin),
        )
        return Bundle({RECEIPT: receipt, HEADER: header, DIRECTORY: trust.note})


def issuer_of(origin: FeedOrigin) -> str:
    """Issuer of receipts for a feed, `<federation>/<publisher>`."""
    return f"{origin.federation}/{origin.publisher}"
