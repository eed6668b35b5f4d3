"""Says which searches may lack records that this node has lost with its database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from gateway.contract.messages import to_ms
from gateway.feed.tables import restores
from gateway.v1 import history_pb2

SHIPMENTS = "shipments"
"""Kind of the records' losses in a restore."""


def lost_before(conn: Connection) -> int:
    """Up to when records may have been lost, in milliseconds since 1970; 0 where no restore has lost any."""
    return max(
        (
            restore.restored_at
            for restore in restores.list_all(conn)
            for loss in restore.losses
            if loss.kind == SHIPMENTS and loss.lost != 0
        ),
        default=0,
    )


def concerns(lost_before_ms: int, alternatives: Sequence[history_pb2.SearchCriteria]) -> bool:
    """Whether a search may lack lost records: not where everything asked for was declared after the loss."""
    if not lost_before_ms:
        return False
    return any(
        not criteria.HasField("declared_from") or to_ms(criteria.declared_from) < lost_before_ms
        for criteria in alternatives
    )
