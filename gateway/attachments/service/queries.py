"""Reads what is known of files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from gateway.alerts.tables import copies, events
from gateway.alerts.tables.events import MentionWithPayload
from gateway.attachments.rules.states import StoredState
from gateway.attachments.service.messages import ReceivedBytes, evidence_in, file_value, mention_value
from gateway.attachments.tables import fetches, files
from gateway.attachments.tables.fetches import FetchRow
from gateway.attachments.tables.files import FileRow
from gateway.contract.filters import decode_page_token, encode_page_token, token_number
from gateway.contract.limits import DEFAULT_PAGE_SIZE
from gateway.contract.messages import page_of
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, NotFoundError, Violation
from gateway.v1 import alert_pb2, file_pb2, file_service_pb2

MOST_FILES = 1_000
"""Most files of one alert in an answer."""

_STORED: Mapping[file_pb2.FileState.ValueType, StoredState] = {
    file_pb2.FILE_STATE_UNSCANNED: StoredState.UNSCANNED,
    file_pb2.FILE_STATE_HERE: StoredState.CLEAN,
    file_pb2.FILE_STATE_QUARANTINED: StoredState.QUARANTINED,
    file_pb2.FILE_STATE_ERASED: StoredState.ERASED,
}


class FileQueries:
    """Reads files of one node. Thread-safe."""

    def __init__(self, database: Database, *, node: str, received: ReceivedBytes) -> None:
        self._database = database
        self._node = node
        self._received = received

    def get(self, sha256: str) -> file_pb2.AttachedFile:
        """What is known of a file; raises NotFoundError where nothing is."""
        with self._database.read() as conn:
            return self.read(conn, sha256)

    def read(self, conn: Connection, sha256: str) -> file_pb2.AttachedFile:
        """The same in a transaction."""
        newest = events.newest_mention(conn, sha256)
        row, of_file = files.find(conn, sha256), fetches.of_files(conn, [sha256])
        if row is None and newest is None and not of_file:
            raise NotFoundError(f"no file with the digest {sha256} is known here")
        return file_value(
            sha256,
            own_node=self._node,
            row=row,
            fetches=of_file,
            mentions=() if newest is None else (newest,),
            speakers=events.speakers(conn, sha256),
            transfers=files.transfers(conn, [sha256]),
            received=self._received,
        )

    def row(self, sha256: str) -> FileRow | None:
        """The stored file of a digest."""
        with self._database.read() as conn:
            return files.find(conn, sha256)

    def of_alert(self, publisher: str, alert_id: str) -> file_service_pb2.ListAlertFilesResponse:
        """Files that an alert's steps name; raises NotFoundError for an alert that isn't here."""
        with self._database.read() as conn:
            told = events.mentions_of_alert(conn, publisher, alert_id)
            if not told and not copies.copies(conn, publisher, alert_id):
                raise NotFoundError(f"there is no alert {publisher}/{alert_id} here")
            by_digest: dict[str, list[MentionWithPayload]] = defaultdict(list)
            for mention in told:
                by_digest[mention.row.sha256].append(mention)
            values = self._values(conn, dict(list(by_digest.items())[:MOST_FILES]))
        page = page_of(values, lambda value: value, limit=MOST_FILES)
        return file_service_pb2.ListAlertFilesResponse(files=page.messages)

    def _values(self, conn: Connection, told: Mapping[str, Sequence[MentionWithPayload]]) -> list[file_pb2.AlertFile]:
        digests = list(told)
        rows = files.find_all(conn, digests)
        of_files: dict[str, list[FetchRow]] = defaultdict(list)
        for fetch in fetches.of_files(conn, digests):
            of_files[fetch.sha256].append(fetch)
        given = files.transfers(conn, digests)
        return [
            file_pb2.AlertFile(
                file=file_value(
                    digest,
                    own_node=self._node,
                    row=rows.get(digest),
                    fetches=of_files[digest],
                    mentions=mentioned,
                    speakers={mention.row.speaker for mention in mentioned},
                    transfers=[row for row in given if row.sha256 == digest],
                    received=self._received,
                ),
                mentions=[mention_value(mention) for mention in mentioned],
            )
            for digest, mentioned in told.items()
        ]

    def list(self, request: file_service_pb2.ListFilesRequest) -> file_service_pb2.ListFilesResponse:
        """Stored files, newest first; those that are asked for or only named are in their alerts."""
        if request.state and request.state not in _STORED:
            known = ", ".join(file_pb2.FileState.Name(state).removeprefix("FILE_STATE_") for state in _STORED)
            raise InvalidRequestError([Violation("state", "state.stored", f"files are listed in the states {known}")])
        states = [_STORED[request.state]] if request.state else []
        bound_to, limit = str(request.state), request.page_size or DEFAULT_PAGE_SIZE
        token = decode_page_token(request.page_token, bound_to, 2)
        before = None if token is None else (token_number(token[0], range(2**62)), token[1])
        with self._database.read() as conn:
            rows = files.page(conn, states=states, before=before, limit=limit + 1)
            page = page_of(rows, lambda row: self.read(conn, row.sha256), limit=limit)
            response = file_service_pb2.ListFilesResponse(files=page.messages, stored_bytes=files.stored_bytes(conn))
        if page.last is not None:
            response.next_page_token = encode_page_token((str(page.last.added_at), page.last.sha256), bound_to)
        return response

    def partners_mention(
        self, sha256: str, publisher: str, alert_id: str
    ) -> tuple[MentionWithPayload, alert_pb2.EvidenceDigest, str]:
        """The newest step of a partner that names a file in an alert, what it says, and the name of the step.

        Raises:
            NotFoundError: no partner names it there.
        """
        with self._database.read() as conn:
            told = events.mentions_in_alert(conn, sha256, publisher, alert_id)
        for mention in reversed(told):
            evidence = evidence_in(mention) if mention.row.speaker != self._node else None
            if evidence is not None:
                return mention, evidence, mention_value(mention).event
        raise NotFoundError(f"no partner names file {sha256} in alert {publisher}/{alert_id}")
