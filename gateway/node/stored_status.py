"""Reads the part of a node's status that is in its database, as far as that can be read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.contract.messages import to_timestamp
from gateway.db.database import Database
from gateway.db.standby import StandbyReads, StandbyState
from gateway.errors import StoreDamagedError, StoreUnavailableError
from gateway.feed.rpc.maintenance import MaintenanceAnnouncer
from gateway.feed.service.alarms import Alarms
from gateway.feed.tables import dispositions, feeds, journal
from gateway.history.tables import holds, shipments
from gateway.history.tables import progress as record_progress
from gateway.node.assembly.quotas import QuotaMonitor
from gateway.node.backups.messages import restores_in
from gateway.node.observation.feed_alarms import MAX_DEFECTS_SHOWN, tell_of_feeds
from gateway.node.roles import Roles
from gateway.v1 import node_service_pb2 as pb

ANSWER_S = 5.0
"""Seconds that a status waits for what is in the database; then it says the rest, and that the database is silent."""


class StoredStatus:
    """For one event loop."""

    def __init__(
        self,
        database: Database,
        *,
        alarms: Alarms,
        quotas: QuotaMonitor,
        maintenance: MaintenanceAnnouncer,
        roles: Roles,
        standby: StandbyReads | None,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._alarms = alarms
        self._quotas = quotas
        self._maintenance = maintenance
        self._roles = roles
        self._standby = standby
        self._clock = clock
        self._look: asyncio.Task[tuple[pb.GetNodeStatusResponse, str]] | None = None

    async def read(self) -> tuple[pb.GetNodeStatusResponse, str]:
        """The part of the status that is in the database, and why it isn't whole; one look at a time."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(asyncio.to_thread(self._read), name="status")
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.shield(self._look)
        except TimeoutError:
            return pb.GetNodeStatusResponse(), f"the database has not answered for {ANSWER_S:g} s"

    def _read(self) -> tuple[pb.GetNodeStatusResponse, str]:
        """As `read`, as far as a database can be read that is damaged, locked or gone."""
        status = pb.GetNodeStatusResponse()
        try:
            with self._database.read() as conn:
                status.position, status.projected_position = (
                    journal.head_position(conn),
                    journal.projected_position(conn),
                )
                tell_of_feeds(self._alarms, feeds.list_all(conn), dispositions.oldest_defects(conn, MAX_DEFECTS_SHOWN))
            status.history.CopyFrom(self._history())
            status.replicas.extend(self._replicas())
            status.partner_usage.extend(
                pb.PartnerUsage(
                    partner=used.partner,
                    kind=used.stored.value,
                    items=used.items,
                    max_items=used.bound.items,
                    bytes=used.bytes,
                    max_bytes=used.bound.bytes,
                )
                for used in self._quotas.usage()
            )
            status.restores.extend(restores_in(self._database))
            status.maintenance.extend(self._maintenance.listed(self._clock()))
        except (StoreUnavailableError, StoreDamagedError) as error:
            return status, error.message
        return status, ""

    def _replicas(self) -> list[pb.Replica]:
        with self._database.read() as conn:
            return [
                pb.Replica(
                    name=replica.name,
                    address=replica.address,
                    since=to_timestamp(replica.since),
                    roles=replica.roles,
                    answering=replica.name == self._roles.replica,
                )
                for replica in self._roles.replicas(conn)
            ]

    def _history(self) -> pb.HistoryStatus:
        standby = self._standby_state()
        with self._database.read() as conn:
            return pb.HistoryStatus(
                standby_lag_ms=None if standby is None or standby.lag_s is None else int(standby.lag_s * 1000),
                standby_problem="" if standby is None else standby.problem,
                recorded=shipments.last_position(conn),
                findable=record_progress.indexed(conn),
                judged=record_progress.evaluated(conn),
                holds=len(holds.all_of(conn, released=False)),
            )

    def _standby_state(self) -> StandbyState | None:
        if self._standby is None:
            return None
        self._standby.compare()
        return self._standby.state
