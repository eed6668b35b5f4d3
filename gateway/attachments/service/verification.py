"""Compares the bytes of all kept files with their digests."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from gateway.attachments.service.storage import FileStore
from gateway.attachments.tables import files
from gateway.attachments.tables.files import FileRow
from gateway.db.database import Database
from gateway.errors import GatewayError

STEP = "12 evidence files"
"""Step of `gateway verify`."""

_ROWS_AT_ONCE = 500
_READ_BYTES = 1024 * 1024


def wrong_files(database: Database, store: FileStore) -> Iterator[tuple[str, str]]:
    """Digests of files whose bytes are gone, short or others, with what is wrong."""
    after = ""
    while True:
        with database.read() as conn:
            rows = files.kept_after(conn, after, _ROWS_AT_ONCE)
        for row in rows:
            problem = _problem(store, row)
            if problem and _is_kept(database, row.sha256):  # not erased meanwhile
                yield row.sha256, problem
        if len(rows) < _ROWS_AT_ONCE:
            return
        after = rows[-1].sha256


def _problem(store: FileStore, row: FileRow) -> str:
    digest, offset = sha256(), 0
    try:
        while chunk := store.read(row.sha256, offset, min(_READ_BYTES, row.size + 1 - offset)):
            digest.update(chunk)
            offset += len(chunk)
            if offset > row.size:
                break
    except GatewayError as error:
        return error.message
    if offset != row.size:
        return f"it has other than {row.size} bytes"
    return "" if digest.hexdigest() == row.sha256 else "its bytes aren't those of its digest"


def _is_kept(database: Database, sha256_hex: str) -> bool:
    with database.read() as conn:
        row = files.find(conn, sha256_hex)
    return row is not None and row.state.value != "erased"
