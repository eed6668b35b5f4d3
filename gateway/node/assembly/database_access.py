"""Opens a node's database for this process: alone on SQLite, as one of several replicas on PostgreSQL."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack

from gateway.db import migrate
from gateway.db.database import Database
from gateway.db.membership import Membership, SoleProcess
from gateway.errors import ConfigurationError, MalformedError
from gateway.feed.rpc.writer_client import ChangeNotifier
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.writing.commits import Commit, decode_notice
from gateway.feed.service.writing.writer import PROJECTIONS, Writer
from gateway.feed.tables import feeds, identity, journal
from gateway.feed.tables.identity import NodeIdentity
from gateway.node.host.data_lock import locked_data
from gateway.node.marks import open_marks
from gateway.node.roles import Roles
from gateway.node.settings import Settings
from gateway.trust.rules.directory import Directory

log = logging.getLogger(__name__)


class DatabaseAccess:
    """This process's locks, its database, and its part among the replicas.

    1. Lock the data folder, and the embedded database.
    2. Join the replicas, one after the other: migrate, compare whose database it is, compare what was signed.
    3. Once the node runs, take roles and hear of others' commits.

    Raises (on construction):
        ConfigurationError: step 1; another process has them.
    """

    def __init__(self, settings: Settings, *, alarms: Alarms) -> None:
        self._held = ExitStack()
        try:
            self._held.enter_context(locked_data(settings))  # 1
            self.database = Database(settings.effective_database_url)
            self._held.callback(self.database.close)
            self.marks = open_marks(settings, alarms=alarms)
            self._held.callback(self.marks.close)
            self.membership = _membership(settings, self.database.dialect)
            self._held.callback(self.membership.stop)
        except BaseException:
            self._held.close()
            raise

    def join(self, own: NodeIdentity, directory: Directory, *, compare: Callable[[bool], None]) -> None:
        """Step 2.

        Args:
            own: whose node this is.
            directory: vouches for a log key in the place of another.
            compare: is told whether other replicas run already.

        Raises:
            ConfigurationError: it is the database of another node, or a command has it to itself.
            StoreUnavailableError: it can't be reached.
        """
        try:
            with self.membership.joining() as others_run:
                migrate.upgrade(self.database)
                require_own(self.database, own, directory)
                compare(others_run)
        except BaseException:
            self._held.close()
            raise

    def start(self, writer: Writer, notifier: ChangeNotifier, roles: Roles) -> None:
        """Step 3."""
        news = ReplicaNews(self.database, writer, notifier)
        roles.want(PROJECTIONS)
        self.membership.start(on_notice=news.on_notice, on_catch_up=news.on_catch_up)

    def close_too(self, close: Callable[[], None]) -> None:
        """Calls `close` before the database is closed."""
        self._held.callback(close)

    def close(self) -> None:
        """Closes the database and unlocks the folder."""
        self._held.close()


class ReplicaNews:
    """Passes what other replicas have committed to this process's writer and tasks; called in the session's thread."""

    def __init__(self, database: Database, writer: Writer, notifier: ChangeNotifier) -> None:
        self._database = database
        self._writer = writer
        self._notifier = notifier

    def on_notice(self, notice: str) -> None:
        """Takes a notice; one that can't be read, or was too long, counts as lost."""
        try:
            commit = decode_notice(notice)
        except MalformedError:
            self.on_catch_up(lost=True)
            return
        self._writer.on_replica_commit(commit)

    def on_catch_up(self, lost: bool) -> None:
        """Reads what notices should have told; raises StoreUnavailableError."""
        with self._database.read() as conn:
            sizes = feeds.own_sizes(conn)
            projected = journal.projected_position(conn)
            unprojected = journal.head_position(conn) > projected
        self._writer.on_replica_commit(Commit(unprojected=unprojected))
        self._notifier.catch_up(sizes, projected, lost=lost)


def require_own(database: Database, own: NodeIdentity, directory: Directory) -> None:
    """Notes whose database this is, or compares it with what was noted.

    Raises:
        ConfigurationError: it is another node's, or was signed with a key that the directory doesn't know.
    """
    with database.write() as conn:
        known = identity.read(conn)
        if known is None:
            line = identity.own_feed(conn)
            federation, node = (own.federation, own.node) if line is None else line.split("/")[:2]
            known = own._replace(federation=federation, node=node)
        if known[:2] != own[:2]:
            raise ConfigurationError(
                f"database_url: this is the database of {known.node} in {known.federation}, not of {own.node} in "
                f"{own.federation}; name a database of this node's own"
            )
        if known.log_key not in {own.log_key, *(record.public_key for record in directory.signer(own.node).log_keys)}:
            raise ConfigurationError(
                f"keys.log: {own.node} of another federation named {own.federation} has signed in this database, with "
                "a key that this node's directory doesn't list; name a database of this node's own"
            )
        identity.write(conn, own)


def replica_name(settings: Settings) -> str:
    """Name under which this process shows among the replicas."""
    return settings.replica or f"{socket.gethostname()}:{settings.local_bind.rpartition(':')[2]}"


def _membership(settings: Settings, dialect: str) -> Membership:
    if dialect != "postgresql":
        return SoleProcess()
    from gateway.db.replica_session import ReplicaSession  # noqa: PLC0415  # needs PostgreSQL's driver

    return ReplicaSession(settings.effective_database_url, node=settings.node, name=replica_name(settings))
