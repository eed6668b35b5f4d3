"""Audit heads as a projection without tables: the feed is read itself."""

from __future__ import annotations

from gateway.evidence.codec.audit_head import AUDIT_ENTRIES
from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.transaction import Transaction


class AuditHeadProjection(Projection):
    """The node's feed of audit heads."""

    formats = (AUDIT_ENTRIES,)

    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Does nothing: a head needs no table."""
