"""Says what a restore lacks, as exactly as the backup, the marks and the earlier counts allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.contract.ids import Channel, FeedOrigin
from gateway.feed.tables.restores import Loss
from gateway.node.backups.manifest import NodeTally

_COUNTED = (
    ("shipments", "records"),
    ("holds", "holds"),
    ("audit events", "audit_events"),
    ("positions of alerts", "position"),
    ("positions of lists", "list_changes"),
    ("positions of matches", "matches"),
)
"""Kinds with the count that each is known by."""


def losses_of(
    node: str, sizes: Mapping[str, int], signed: Mapping[str, int] | None, tally: NodeTally, before: NodeTally | None
) -> tuple[Loss, ...]:
    """What a backup lacks: feeds first, then what no feed brings back.

    Args:
        sizes: entries of each feed in the backup, by name.
        signed: entries that this node has signed of each own feed, by the marks; None without marks.
        tally: counts in the backup.
        before: counts shortly before the loss; None where nobody noted them.
    """
    return (*_feed_losses(node, sizes, signed), *_count_losses(tally, before))


def _feed_losses(node: str, sizes: Mapping[str, int], signed: Mapping[str, int] | None) -> Sequence[Loss]:
    lines = sorted({*sizes, *(signed or ())})
    own = [origin for origin in map(FeedOrigin.parse, lines) if origin.publisher == node]
    return [
        Loss(
            kind=origin.line,
            kept=sizes.get(origin.line, 0),
            reached=None if signed is None else max(signed.get(origin.line, 0), sizes.get(origin.line, 0)),
            source="" if origin.recipient == node else origin.recipient,
        )
        for origin in own
        if origin.channel is not Channel.AUDIT  # its heads are of no use without the events
    ]


def _count_losses(tally: NodeTally, before: NodeTally | None) -> Sequence[Loss]:
    return [
        Loss(
            kind=kind,
            kept=getattr(tally, name),
            reached=None if before is None else max(getattr(before, name), getattr(tally, name)),
        )
        for kind, name in _COUNTED
    ]
