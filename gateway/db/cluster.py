"""Reads which PostgreSQL cluster a connection writes to, and whether that cluster can lose what it has acknowledged."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from gateway.errors import StoreUnavailableError

_IDENTITY = text(
    "SELECT (SELECT system_identifier::text FROM pg_control_system()), pg_is_in_recovery(), "
    # The control file's timeline is the last checkpoint's, which is older after a promotion.
    "CASE WHEN pg_is_in_recovery() THEN NULL ELSE substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END"
)

_DURABILITY = text(
    "SELECT current_setting('fsync'), current_setting('synchronous_commit'), "
    "current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication), "
    "(SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')), "
    # Others than pg_monitor see no states.
    "(SELECT count(*) FROM pg_stat_replication WHERE sync_state IS NULL), "
    "(SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical')"
)


@dataclass(frozen=True, slots=True)
class ClusterIdentity:
    """A PostgreSQL cluster and its timeline: a promoted standby begins a new one."""

    system: str
    timeline: int


@dataclass(frozen=True, slots=True)
class Durability:
    """What a cluster does before it acknowledges a commit.

    Attributes:
        detail: in a sentence.
        risk: how an acknowledged commit can be lost; empty when it can't.
        lossless: whether a standby confirms each commit: nothing is lost by a failover to it.
        alone: whether there is one server, and no sign of another: none is connected, has a slot or is named.
    """

    detail: str
    risk: str = ""
    lossless: bool = False
    alone: bool = False


def read_identity(conn: Connection) -> ClusterIdentity:
    """The cluster of a PostgreSQL connection.

    Raises:
        StoreUnavailableError: it is a standby.
    """
    system, standby, timeline = conn.execute(_IDENTITY).one()
    if standby:
        raise StoreUnavailableError(
            "the database is a standby, which can't be written", retry_after_s=1.0, metadata={"about": "standby"}
        )
    return ClusterIdentity(system, int(timeline, 16))


def read_durability(conn: Connection) -> Durability:
    """What the cluster of a PostgreSQL connection does before it acknowledges a commit."""
    fsync, commit, names, standbys, confirming, unknown, slots = conn.execute(_DURABILITY).one()
    if fsync != "on":
        return Durability("fsync = off", "a crash of its machine loses acknowledged commits: set fsync = on")
    if commit == "off":
        return Durability("synchronous_commit = off", "a crash loses acknowledged commits: set synchronous_commit = on")
    if not standbys and not slots and not names:
        return Durability("one server without a standby; each commit is synced to its disk", alone=True)
    if not names or commit == "local":
        setting = "synchronous_commit = local" if names else "synchronous_standby_names is empty"
        return Durability(
            f"{standbys} standby servers, none of which confirms commits: {setting}",
            "a failover loses acknowledged commits: set synchronous_standby_names, and synchronous_commit = on",
        )
    if not confirming and not unknown:
        return Durability(
            f"synchronous_standby_names = '{names}', but no connected standby matches: commits wait for one",
            lossless=True,
        )
    return Durability(f"commits wait for {names} (synchronous_commit = {commit})", lossless=True)
