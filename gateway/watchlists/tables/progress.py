"""Statements on progress of list changes and of their distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from gateway.db.schema import Progress
from gateway.db.statements import Prepared
from gateway.watchlists.tables.schema import list_distribution, list_progress


class ListProgress(NamedTuple):
    """Last applied change; time of the last warning, in milliseconds since 1970."""

    applied: int = 0
    warned_at: int = 0


@dataclass(frozen=True, slots=True)
class DistributionRow:
    """Progress of distribution to a partner.

    Attributes:
        considered: last change considered; None before the first.
        directory_version: at the last completed sweep; 0: never.
        sweep_steps: of the sweep under way; 0 for none.
    """

    partner: str
    considered: int | None = None
    directory_version: int = 0
    sweep_steps: int = 0


_PROGRESS = Progress(list_progress, ListProgress)
_OF_PARTNER = list_distribution.c.partner == bindparam("of_partner")
_PARTNER = Prepared(select(list_distribution).where(_OF_PARTNER))
_PARTNERS = Prepared(select(list_distribution).order_by(list_distribution.c.partner))
_ADD = Prepared(insert(list_distribution))
_MOVE = {
    name: Prepared(update(list_distribution).where(_OF_PARTNER).values({name: bindparam("value")}))
    for name in ("considered", "directory_version", "sweep_steps")
}


def applied(conn: Connection) -> int:
    """Number of the last applied change."""
    return _PROGRESS.read(conn).applied


def move_applied(conn: Connection, seq: int) -> None:
    """Sets the last applied change."""
    _PROGRESS.write(conn, applied=seq)


def warned_at(conn: Connection) -> int:
    """Time of the last warning; 0 for none."""
    return _PROGRESS.read(conn).warned_at


def move_warned_at(conn: Connection, time_ms: int) -> None:
    """Sets the time of the last warning."""
    _PROGRESS.write(conn, warned_at=time_ms)


def distribution(conn: Connection, partner: str) -> DistributionRow:
    """Progress of distribution to a partner."""
    row = _PARTNER(conn, of_partner=partner).one_or_none()
    return DistributionRow(partner) if row is None else DistributionRow(*row)


def move_considered(conn: Connection, partner: str, seq: int) -> None:
    """Sets the last change considered for a partner."""
    _move(conn, partner, "considered", seq)


def move_directory_version(conn: Connection, partner: str, version: int) -> None:
    """Sets the directory version of a partner's last sweep."""
    _move(conn, partner, "directory_version", version)


def move_sweep_steps(conn: Connection, partner: str, steps: int) -> None:
    """Sets the steps of a partner's sweep."""
    _move(conn, partner, "sweep_steps", steps)


def of_projection(conn: Connection) -> tuple[int, tuple[DistributionRow, ...]]:
    """Progress of applying and distributing, to detect idleness."""
    return applied(conn), tuple(DistributionRow(*row) for row in _PARTNERS(conn))


def _move(conn: Connection, partner: str, name: str, value: int) -> None:
    if _MOVE[name](conn, of_partner=partner, value=value).rowcount:
        return
    row = {"considered": None, "directory_version": 0, "sweep_steps": 0} | {name: value}
    _ADD(conn, partner=partner, **row)
