"""Statements on restores: what each has lost, and up to where positions given before it still mean the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from gateway.db.statements import Prepared
from gateway.feed.tables.schema import restores

_ALL = Prepared(select(restores).order_by(restores.c.number))


@dataclass(frozen=True, slots=True)
class Loss:
    """What a restore lacks of one kind.

    Attributes:
        kind: name of a feed, or `shipments`, `holds`, `audit events`, `requests`, `list decisions`, `positions`.
        kept: how far the backup has it.
        reached: how far it went before; None where nobody knows.
        source: partner that has the rest; empty where nobody has.
    """

    kind: str
    kept: int
    reached: int | None
    source: str = ""

    @property
    def of_feed(self) -> bool:
        """Whether it is of an own feed."""
        return "/" in self.kind

    @property
    def lost(self) -> int | None:
        """Number that the backup lacks; None for unknown."""
        return None if self.reached is None else max(0, self.reached - self.kept)


@dataclass(frozen=True, slots=True)
class Restore:
    """One restore. Times in milliseconds since 1970; `backup_at` 0 for unknown."""

    number: int
    restored_at: int
    backup_at: int
    position: int
    list_changes: int
    matches: int
    losses: tuple[Loss, ...]
    started: bool


def list_all(conn: Connection) -> list[Restore]:
    """All restores, oldest first."""
    return [_restore(row) for row in _ALL(conn)]


def add(conn: Connection, restore: Restore) -> None:
    """Records a restore."""
    values = {name: getattr(restore, name) for name in restores.c.keys()}  # noqa: SIM118  # a collection of columns
    losses = json.dumps([asdict(loss) for loss in restore.losses]).encode()
    conn.execute(insert(restores).values({**values, "losses": losses, "started": int(restore.started)}))


def set_started(conn: Connection, number: int) -> None:
    """Notes that the node has started on a restored database."""
    conn.execute(update(restores).where(restores.c.number == number).values(started=1))


def _restore(row: Iterable[Any]) -> Restore:
    values: dict[str, Any] = dict(zip(restores.c.keys(), row, strict=True))
    losses: Sequence[dict[str, Any]] = json.loads(bytes(values["losses"]))
    return Restore(**{**values, "losses": tuple(Loss(**loss) for loss in losses), "started": bool(values["started"])})
