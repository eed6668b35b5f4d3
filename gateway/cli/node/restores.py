"""Shows restores of a node and what each has lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.cli.output import Output
from gateway.cli.values import shown_time
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked

if TYPE_CHECKING:
    from gateway.v1.node_service_pb2 import Restore, RestoreLoss


def show_losses(output: Output, restore: Restore) -> None:
    """Tables of what a restore lacked: what came back, or can, and what nobody has."""
    output.table(
        _("Restore {number} of {time} UTC", number=restore.number, time=shown_time(restore, "restored_at")),
        marked("Own feed", "In the backup", "Lacked", "Comes back from"),
        [
            (loss.kind.partition("/")[2], loss.kept, _lost(loss), loss.source or _("nobody"))
            for loss in restore.losses
            if "/" in loss.kind
        ],
    )
    output.table(
        _("What only this node had"),
        marked("What", "In the backup", "Lost, at least"),
        [(loss.kind, loss.kept, _lost(loss)) for loss in _alone(restore.losses)],
    )


def _alone(losses: Sequence[RestoreLoss]) -> list[RestoreLoss]:
    return [loss for loss in losses if "/" not in loss.kind]


def _lost(loss: RestoreLoss) -> object:
    return loss.lost if loss.HasField("lost") else _("unknown")
