"""Restores and their losses as messages of NodeService."""

from __future__ import annotations

from gateway.contract.messages import to_timestamp
from gateway.db.database import Database
from gateway.feed.tables import restores
from gateway.feed.tables.restores import Loss, Restore
from gateway.v1 import node_service_pb2 as pb


def restores_in(database: Database) -> list[pb.Restore]:
    """All restores, oldest first."""
    with database.read() as conn:
        return [_message(row) for row in restores.list_all(conn)]


def _message(row: Restore) -> pb.Restore:
    message = pb.Restore(
        number=row.number, restored_at=to_timestamp(row.restored_at), losses=[_loss(loss) for loss in row.losses]
    )
    if row.backup_at:
        message.backup_at.CopyFrom(to_timestamp(row.backup_at))
    return message


def _loss(loss: Loss) -> pb.RestoreLoss:
    return pb.RestoreLoss(kind=loss.kind, kept=loss.kept, lost=loss.lost, source=loss.source)
