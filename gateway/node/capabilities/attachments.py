"""Puts the parts of evidence files together; where the settings don't keep any, nothing of it runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from gateway.attachments.rpc.arrivals import Arrivals
from gateway.attachments.rpc.fetching import QUIET_S, FileFetcher
from gateway.attachments.rpc.keeping import Housekeeping, Scans
from gateway.attachments.rpc.sending import FileSender, send_file
from gateway.attachments.rpc.service import FileParts, FileServicer
from gateway.attachments.service.object_store import ObjectStore, s3_client
from gateway.attachments.service.queries import FileQueries
from gateway.attachments.service.scanning import Scanner
from gateway.attachments.service.storage import FileStore, FolderStore
from gateway.attachments.service.uploads import Uploads
from gateway.attachments.tables.fetches import FetchRow
from gateway.db.commit_watch import NewsSince
from gateway.node.capabilities.capability import Capability
from gateway.node.capabilities.parts import NodeParts
from gateway.node.settings import Settings
from gateway.v1 import exchange_service_pb2

FILES_FOLDER = "files"
"""Folder of the data folder with the files."""

UPLOADS_FOLDER = "uploads"
"""Folder in it with those that are coming."""


def file_store(settings: Settings) -> FileStore:
    """The store that the settings name. Raises ConfigurationError."""
    attachments = settings.attachments
    if not attachments.store:
        return FolderStore(settings.data_dir / FILES_FOLDER)
    client = s3_client(attachments.store, endpoint=attachments.s3_endpoint, region=attachments.s3_region)
    return ObjectStore(client, scratch=_uploads_folder(settings))


class Attachments:
    """One node's files, for one event loop.

    Attributes:
        servicer: handlers of FileService.
    """

    def __init__(self, parts: NodeParts) -> None:
        self._scans: Scans | None = None
        self._fetcher: FileFetcher | None = None
        self._housekeeping: Housekeeping | None = None
        self._sender: FileSender | None = None
        settings, database, writer = parts.settings, parts.database, parts.writer
        attachments = settings.attachments
        if not attachments.enabled:
            self.servicer = FileServicer(None)
            return
        limits, store = attachments.limits, file_store(settings)
        uploads = Uploads(_uploads_folder(settings), limits).prepare()

        def received(row: FetchRow) -> int:
            return uploads.size(Uploads.of_fetch(row.sha256, row.partner))

        queries = FileQueries(database, node=settings.node, received=received)
        if attachments.scan_command:
            scanner = Scanner(attachments.scan_command, attachments.scan_timeout_s)
            self._scans = Scans(database=database, store=store, scanner=scanner, writer=writer, alarms=parts.alarms)
        arrivals = Arrivals(
            database=database,
            store=store,
            limits=limits,
            writer=writer,
            scanned=self._scans is not None,
            wake=self._wake_scans,
        )
        self._fetcher = FileFetcher(
            database=database,
            peers=parts.peers,
            uploads=uploads,
            limits=limits,
            arrivals=arrivals,
            writer=writer,
            alarms=parts.alarms,
            news=NewsSince(database.commits, most_s=QUIET_S),
        )
        self._housekeeping = Housekeeping(
            database=database, store=store, uploads=uploads, writer=writer, retention_ms=limits.retention_ms
        )
        self._sender = FileSender(
            node=settings.node,
            database=database,
            store=store,
            writer=writer,
            directory=parts.directory,
            clock=parts.clock,
        )
        self.servicer = FileServicer(
            FileParts(
                node=settings.node,
                store=store,
                uploads=uploads,
                limits=limits,
                arrivals=arrivals,
                queries=queries,
                writer=writer,
                directory=parts.directory,
                wake_fetcher=self._fetcher.moved.set,
                clock=parts.clock,
                retention_days=attachments.retention_days,
            )
        )

    def send(
        self, requests: AsyncIterator[exchange_service_pb2.FetchFileRequest]
    ) -> AsyncGenerator[exchange_service_pb2.FetchFileResponse]:
        """Answers a partner that asks for a file."""
        return send_file(self._sender, requests)

    @property
    def capability(self) -> Capability:
        """FileService, which refuses where no files are kept, and the loops of one replica."""
        loops = {"file fetches": self._fetcher, "file scans": self._scans, "file retention": self._housekeeping}
        return Capability(
            services={"gateway.v1.FileService": self.servicer.register},
            loops={name: loop.run for name, loop in loops.items() if loop is not None},
        )

    def _wake_scans(self) -> None:
        if self._scans is not None:
            self._scans.moved.set()


def _uploads_folder(settings: Settings) -> Path:
    return settings.data_dir / FILES_FOLDER / UPLOADS_FOLDER
