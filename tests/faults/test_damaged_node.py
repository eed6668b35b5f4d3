"""A node whose files were damaged starts, says what is wrong, and goes on with everything else."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from gateway.errors import FeedDamagedError
from gateway.feed.service.alarms import DIRECTORY, FEED_DAMAGED
from tests.support.federation import Federation, alert, origin


def flip_a_bit_of_the_edge(federation: Federation, feed: str) -> None:
    with closing(sqlite3.connect(federation["cn"].database)) as conn, conn:
        (edge,) = conn.execute("SELECT edge FROM feeds WHERE origin = ?", (feed,)).fetchone()
        conn.execute("UPDATE feeds SET edge = ? WHERE origin = ?", (bytes([edge[0] ^ 1]) + edge[1:], feed))


def test_a_flipped_bit_and_a_broken_directory_file_are_told_and_nobody_is_quarantined(federation: Federation) -> None:
    federation.start()

    async def before() -> None:
        async with federation.client("cn", "publisher") as risk:
            for partner in ("hk", "mo"):
                await risk.publish(alert(), [partner])
        await federation.converged(("cn", "hk"), ("cn", "mo"))

    async def after() -> None:
        async with federation.client("cn", "publisher") as risk, federation.client("cn", "operator") as operator:
            told = {alarm.code: alarm.message for alarm in (await operator.node.status()).alarms}
            assert told[FEED_DAMAGED].startswith(origin("cn", "hk"))
            assert str(directory) in told[DIRECTORY]
            with pytest.raises(FeedDamagedError, match=origin("cn", "hk")):
                await risk.publish(alert(), ["hk"])
            await risk.publish(alert(), ["mo"])
        await federation.converged(("cn", "mo"))
        async with federation.client("hk", "operator") as at_hk:
            assert "FEED_QUARANTINED" not in {alarm.code for alarm in (await at_hk.node.status()).alarms}

    federation.run(before())
    federation["cn"].stop()
    flip_a_bit_of_the_edge(federation, origin("cn", "hk"))
    directory = federation["cn"].settings.directory.file
    directory.write_bytes(b"nonsense\n")
    federation["cn"].start()
    federation.run(after())
