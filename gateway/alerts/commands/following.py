"""Lets several followers of alerts work on the same steps: read once, and written in one transaction.

A follower that fails holds up no other: what it couldn't prepare is logged and left for the next time, and what can't
be written together is written one by one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from gateway.alerts.tables.followed_steps import FollowedSteps
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.service.writing.transaction import Command, Transaction

log = logging.getLogger(__name__)


class AlertFollower(Protocol):
    """Makes something of its own of steps of alerts, and keeps how far it is in its own tables. Thread-safe.

    Attributes:
        name: for the log.
    """

    @property
    def name(self) -> str: ...

    def prepare(self, steps: FollowedSteps) -> Command[object] | None:
        """What is to be written next; None where there is nothing.

        The command compares the progress that it was made from: another replica or a rebuild may have moved it.
        """


@dataclass(frozen=True, slots=True)
class FollowedBatch:
    """What followers are to write, and whether more is waiting."""

    parts: tuple[Command[object], ...]
    is_cut: bool


def prepare_batch(database: Database, followers: Iterable[AlertFollower], *, limit: int) -> FollowedBatch:
    """Lets followers prepare the next steps, at most `limit`.

    Raises:
        StoreUnavailableError: the database can't be read.
    """
    parts = []
    with database.read() as conn:
        steps = FollowedSteps(conn, limit)
        for follower in followers:
            try:
                part = follower.prepare(steps)
            except GatewayError:
                raise
            except Exception:
                log.exception("%s: steps of alerts can't be read; it is tried again", follower.name)
                continue
            if part is not None:
                parts.append(part)
    return FollowedBatch(tuple(parts), steps.is_cut)


@dataclass(frozen=True, slots=True)
class FollowCommand:
    """Writes parts of a batch, all or none."""

    parts: tuple[Command[object], ...]

    @property
    def weight(self) -> int:
        return sum(part.weight for part in self.parts)

    def execute(self, tx: Transaction) -> list[object]:
        return [part.execute(tx) for part in self.parts]
