"""Sends what waited for an agreement or a feed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.writing.transaction import Command
from gateway.feed.tables.dues import Dues

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
"""Seconds between looks: what waits was not to be sent so far."""


async def send_dues(
    writer: WriterClient, database: Database, dues: Dues[Any], send: Callable[[], Command[bool]], *, what: str
) -> None:
    """Sends what may be sent by now, until cancelled.

    Args:
        send: a command that sends some; its result is whether more may be left.
        what: for the log, e.g. "licences".
    """

    def is_due() -> bool:
        with database.look() as conn:
            return bool(dues.pairs(conn))

    while True:
        try:
            while await asyncio.to_thread(is_due) and await writer.run(send()):
                pass
        except GatewayError as error:
            log.warning("%s that wait for partners go on waiting: %s", what, error.message)
        except Exception:
            log.exception("sending %s that wait failed; it is tried again", what)
        await asyncio.sleep(LOOK_EVERY_S)
