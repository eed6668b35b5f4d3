"""Erases old notes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from gateway.casework.commands.cases import ERASED_AT_ONCE, EraseOldNotesCommand
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import WriterClient

log = logging.getLogger(__name__)

ERASE_EVERY_S = 600.0


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
