"""Erases old notes, and words of erased alerts in the search index."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from gateway.casework.commands.cases import ERASED_AT_ONCE, EraseOldNotesCommand
from gateway.casework.commands.indexing import MergeWordsCommand
from gateway.casework.tables import documents
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import WriterClient

log = logging.getLogger(__name__)

ERASE_EVERY_S = 600.0
MERGE_EVERY_S = 5.0


async def erase_old_notes(writer: WriterClient, *, keep_ms: int, clock: Callable[[], int]) -> None:
    """Erases texts of notes at the end of their retention, until cancelled."""
    while True:
        try:
            while await writer.run(EraseOldNotesCommand(clock() - keep_ms)) == ERASED_AT_ONCE:
                pass
        except GatewayError as error:
            log.warning("erasing old notes waits: %s", error.message)
        except Exception:
            log.exception("erasing old notes failed; it is tried again")
        await asyncio.sleep(ERASE_EVERY_S)


async def merge_erased_words(writer: WriterClient, database: Database) -> None:
    """Merges the search index after an alert was erased, a little at a time, until cancelled."""
    while True:
        try:
            while await asyncio.to_thread(_has_erased_words, database) and await writer.run(MergeWordsCommand()):
                pass
        except GatewayError as error:
            log.warning("merging the search index waits: %s", error.message)
        except Exception:
            log.exception("merging the search index failed; it is tried again")
        await asyncio.sleep(MERGE_EVERY_S)


def _has_erased_words(database: Database) -> bool:
    with database.read() as conn:
        return documents.has_erased_words(conn)
