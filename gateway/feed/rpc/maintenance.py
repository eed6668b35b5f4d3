"""Tells partners of this node's maintenance until each knows of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

import grpc.aio

from gateway.contract.messages import to_timestamp
from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.errors import GatewayError, MethodUnknownError
from gateway.feed.rpc.writer_client import WriterClient, set_within
from gateway.feed.service.maintenance import Announced, EndOwnCommand, KeepWindowCommand, RecordNoticeDelivered
from gateway.feed.tables.maintenance import WindowRow
from gateway.rpc.beats import beat_in_s
from gateway.rpc.calls import from_rpc_error
from gateway.rpc.peers import Peers
from gateway.v1 import exchange_service_pb2, maintenance_pb2

log = logging.getLogger(__name__)

TELL_S = 5.0
"""Seconds between looks for a partner that doesn't know of it yet, and for its answer."""


LOOK_AGAIN_S = 60.0
"""Seconds between looks into a database to which nothing was committed."""


def window_of(row: WindowRow) -> maintenance_pb2.MaintenanceWindow:
    """The contract's form."""
    return maintenance_pb2.MaintenanceWindow(
        starts_at=to_timestamp(row.starts_at), ends_at=to_timestamp(row.ends_at), reason=row.reason
    )


class MaintenanceAnnouncer:
    """Announces this node's window; one replica does.

    Args:
        partners: names of the nodes that exchange something with this one now.
    """

    def __init__(
        self,
        *,
        node: str,
        partners: Callable[[], Iterable[str]],
        database: Database,
        peers: Peers,
        writer: WriterClient,
    ) -> None:
        self._node = node
        self._partners = partners
        self._database = database
        self._peers = peers
        self._writer = writer
        self._changed = asyncio.Event()
        self._news = NewsSince(database.commits, most_s=LOOK_AGAIN_S)
        self._is_telling = False  # a partner may still have to be told

    async def set(self, window: maintenance_pb2.MaintenanceWindow) -> maintenance_pb2.AnnouncedMaintenance:
        """Announces a window; returns it once it is stored. Raises InvalidRequestError."""
        return self._announced(await self._writer.run(KeepWindowCommand(self._node, window)))

    async def end(self) -> maintenance_pb2.AnnouncedMaintenance:
        """Announces that the maintenance has ended. Raises NotFoundError."""
        return self._announced(await self._writer.run(EndOwnCommand()))

    async def keep(self, partner: str, window: maintenance_pb2.MaintenanceWindow) -> None:
        """Keeps a partner's window. Raises InvalidRequestError."""
        await self._writer.run(KeepWindowCommand(partner, window))

    def listed(self, now_ms: int) -> list[maintenance_pb2.AnnouncedMaintenance]:
        """What hasn't ended, by node; not for the event loop. Raises StoreUnavailableError."""
        announced = Announced.read(self._database)
        return [self._message(row, announced) for row in announced.windows.values() if row.ends_at > now_ms]

    def _announced(self, row: WindowRow) -> maintenance_pb2.AnnouncedMaintenance:
        self._changed.set()
        return self._message(row, Announced({}, {}))

    def _message(self, row: WindowRow, announced: Announced) -> maintenance_pb2.AnnouncedMaintenance:
        message = maintenance_pb2.AnnouncedMaintenance(node=row.node, window=window_of(row))
        for partner in sorted(self._partners()) if row.node == self._node else ():
            (message.known_to if announced.knows(partner, row) else message.unknown_to).append(partner)
        return message

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._tell_all()
            except GatewayError as error:
                log.debug("maintenance can't be announced: %s", error.message)  # its alarm is DATABASE
            except Exception:
                log.exception("maintenance can't be announced; it is tried again")
            self._changed.clear()
            self._is_telling |= await set_within(self._changed, beat_in_s(TELL_S))

    async def _tell_all(self) -> None:
        if not (self._news.is_due or self._is_telling):
            return
        announced = await asyncio.to_thread(Announced.read, self._database)
        self._news.looked()
        own = announced.windows.get(self._node)
        self._is_telling = own is not None
        if own is None:
            return
        waiting = [partner for partner in self._partners() if not announced.knows(partner, own)]
        await asyncio.gather(*(self._tell(partner, own) for partner in waiting))

    async def _tell(self, partner: str, own: WindowRow) -> None:
        request = exchange_service_pb2.AnnounceMaintenanceRequest(window=window_of(own))
        try:
            stub = await self._peers.stub(partner)
            await stub.AnnounceMaintenance(request, timeout=TELL_S)
        except GatewayError as error:
            log.debug("%s doesn't know of the maintenance yet: %s", partner, error.message)
            return
        except grpc.aio.AioRpcError as error:
            refusal = from_rpc_error(error)
            if not isinstance(refusal, MethodUnknownError):  # an older gateway; asking again would change nothing
                log.debug("%s doesn't know of the maintenance yet: %s", partner, refusal.message)
                return
            log.warning("%s can't be told of maintenance: its gateway is of an earlier version", partner)
        await self._writer.run(RecordNoticeDelivered(partner, own.announced_at))
