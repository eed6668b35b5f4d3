"""Sends what waited for an agreement or a feed."""

from __future__ import annotations

import asyncio
import logging

from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import WriterClient
from gateway.risk_profiles.commands.distribution import SendProfileDuesCommand
from gateway.risk_profiles.commands.register import ProfileSharing
from gateway.risk_profiles.tables import acts

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
"""Seconds between looks: what waits was not to be sent so far."""


async def send_profile_dues(writer: WriterClient, database: Database, sharing: ProfileSharing) -> None:
    """Sends what may be sent by now, until cancelled."""
    while True:
        try:
            while await asyncio.to_thread(_is_due, database) and await writer.run(SendProfileDuesCommand(sharing)):
                pass
        except GatewayError as error:
            log.warning("risk profiles that wait for partners go on waiting: %s", error.message)
        except Exception:
            log.exception("sending risk profiles that wait failed; it is tried again")
        await asyncio.sleep(LOOK_EVERY_S)


def _is_due(database: Database) -> bool:
    with database.look() as conn:
        return bool(acts.due_pairs(conn))
