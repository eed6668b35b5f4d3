"""How a process takes part in a node: alone, or as one of several replicas on one database.

A role is a part of the work that one replica does for all, such as the links to a partner. Roles only spare double
work: the compare-and-swap on a feed's head and the checks of each command keep the data right, also while a replica
that was stopped or cut off still believes that it holds one. Turns and roles are advisory locks of PostgreSQL; SQLite
has one writer and one process, and needs none of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Connection, func, select

from gateway.db.statements import Prepared

TURN: Final = 0x7475726E
"""Key of the lock under which one replica after the other writes (`turn` in ASCII)."""

ROLE_CLASS: Final = 0x726F6C65
"""First key of the locks of roles (`role` in ASCII); the second one is made of the role's name."""

_TAKE_TURN = Prepared(select(func.pg_advisory_xact_lock(TURN)))


def take_turn(conn: Connection) -> None:
    """Waits until no other replica writes; the turn ends with the transaction.

    All writes need the next position of the local log, so they can't go side by side. Without turns all replicas but
    one would do their work in vain and repeat it. That no head moves twice isn't this lock's work but that of the
    compare-and-swap on its row.
    """
    if conn.dialect.name == "postgresql":
        _TAKE_TURN(conn)


def role_key(role: str) -> int:
    """Second key of a role's lock, as `pg_try_advisory_lock` takes it: a signed number of 32 bits."""
    unsigned = zlib.crc32(role.encode())
    return unsigned - (1 << 32) if unsigned >> 31 else unsigned


SERVING: Final = "serving"
"""Shared by all replicas while they run; a command that takes it alone has the database to itself."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A process that serves on a database.

    Attributes:
        name: as its settings say.
        address: its host as the database sees it.
        since: when its session began, in milliseconds since 1970.
        roles: what it holds, of the roles that were asked for.
    """

    name: str
    address: str
    since: int
    roles: tuple[str, ...]


class Membership(Protocol):
    """Joins, takes roles and hears of others' commits. Thread-safe; nothing of it outlives the process."""

    @property
    def name(self) -> str:
        """This replica's name; empty for a sole process."""

    def joining(self) -> AbstractContextManager[bool]:
        """Joins. In the block, which one replica after the other enters, the database is compared with what was known.

        Its value says whether others serve already.

        Raises:
            ConfigurationError: a command has the database to itself.
            StoreUnavailableError: it can't be reached.
        """

    def start(self, *, on_notice: Callable[[str], None], on_catch_up: Callable[[bool], None]) -> None:
        """Begins to take roles and to listen.

        Args:
            on_notice: is called, in a thread, with what another replica's transaction told.
            on_catch_up: is called every few seconds; with True when notices may have been lost.
        """

    def stop(self) -> None:
        """Gives up all roles."""

    def want(self, role: str) -> None:
        """Takes a role as soon as it is free, and again after each loss."""

    def share(self, role: str, *, shared: bool) -> None:
        """Marks that this replica does something, beside others that may do the same; or does it no more."""

    def holds(self, role: str) -> bool:
        """Whether this replica has a role now."""

    def others_share(self, role: str) -> bool:
        """Whether another replica marks it, or did some seconds ago."""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls `listener`, in a thread, when a role comes or goes."""

    def tell(self, conn: Connection, notice: Callable[[], str]) -> None:
        """Tells the other replicas, when the transaction commits; a long notice becomes an empty one.

        Args:
            notice: makes it, where there may be somebody to tell.
        """

    def replicas(self, conn: Connection, roles: Iterable[str]) -> list[Replica]:
        """All replicas, the oldest first, and which of these roles they hold; none for a sole process."""


class SoleProcess:
    """The only process on its database: it holds every role, and nobody is told anything."""

    name = ""

    @contextmanager
    def joining(self) -> Iterator[bool]:
        yield False

    def start(self, *, on_notice: Callable[[str], None], on_catch_up: Callable[[bool], None]) -> None:
        return

    def stop(self) -> None:
        return

    def want(self, role: str) -> None:
        return

    def share(self, role: str, *, shared: bool) -> None:
        return

    def holds(self, role: str) -> bool:
        return True

    def others_share(self, role: str) -> bool:
        return False

    def on_change(self, listener: Callable[[], None]) -> None:
        return

    def tell(self, conn: Connection, notice: Callable[[], str]) -> None:
        return

    def replicas(self, conn: Connection, roles: Iterable[str]) -> list[Replica]:
        return []
