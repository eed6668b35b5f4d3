"""Warns of a database that may lose what it has acknowledged: also of a server that its standby has left alone."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from sqlalchemy import make_url, text

from gateway.db.database import Database
from gateway.feed.service.alarms import DATABASE_ASYNCHRONOUS, Alarms
from gateway.node.observation.durability import CHECK_S, DurabilityMonitor
from tests.support.postgres import embedded_server
from tests.support.standby import connection, synchronous_pair


def warned(database: Database, *, standby_expected: bool = False) -> str:
    alarms = Alarms(lambda: 0)
    DurabilityMonitor(database, alarms, standby_expected=standby_expected, note=lambda _: None).check()
    return next((alarm.message for alarm in alarms.list() if alarm.code == DATABASE_ASYNCHRONOUS), "")


def test_a_server_alone_is_a_risk_where_the_settings_name_another() -> None:
    with embedded_server() as server, closing(Database(server.url)) as database:
        with connection(server, database=str(make_url(server.url).database)) as conn:
            conn.execute(text("ALTER SYSTEM SET fsync = 'on'"))
            conn.execute(text("SELECT pg_reload_conf()"))
        _wait_for_fsync(database)
        assert warned(database) == ""
        assert "the standby is away" in warned(database, standby_expected=True)


def _wait_for_fsync(database: Database) -> None:
    """The tests' servers begin without it: this is a machine that keeps what it acknowledges."""
    while True:
        with database.read() as conn:
            if conn.scalar(text("SHOW fsync")) == "on":
                return
        time.sleep(0.05)


@pytest.mark.slow
def test_a_server_whose_standby_has_left_is_a_risk() -> None:
    """As a cluster's manager leaves it: no name, no connection and no slot of the one that was there."""
    alarms, noted = Alarms(lambda: 0), list[bool]()
    with synchronous_pair() as pair, closing(Database(pair.url_of(pair.primary, "gateway"))) as database:
        monitor = DurabilityMonitor(database, alarms, standby_expected=False, note=noted.append)
        pair.make_asynchronous()
        _wait_for_fsync(database)
        monitor.check()
        assert "synchronous_standby_names is empty" in next(iter(alarms.list())).message
        pair.cut_off()
        with connection(pair.primary) as conn:
            conn.execute(text("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"))
        time.sleep(CHECK_S)  # the monitor looks so seldom
        monitor.check()
        assert "the standby is away" in next(iter(alarms.list())).message
        assert noted == [False, False]
