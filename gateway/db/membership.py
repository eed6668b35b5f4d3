"""How a process takes part in a node: alone, or as one of several replicas on one database.

A role is a part of the work that one replica does for all, such as the links to a partner. Roles only spare double
work: the compare-and-swap on a feed's head and the checks of each command keep the data right, also while a replica
that was stopped or cut off still believes that it holds one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Connection

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
