"""How new items that name what findings are about are met: against a naive oracle, and by look-ups alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from gateway.db.database import Database
from gateway.history.tables import shipments
from gateway.history.tables.cells import CELL_BITS
from gateway.history.tables.schema import shipment_keys
from gateway.tracing import tables as findings
from tests.support.databases import new_database

EDGE = 1 << CELL_BITS
POSITIONS = st.integers(1, 4) | st.integers(EDGE - 2, EDGE + 2) | st.integers(2 * EDGE - 1, 2 * EDGE + 1)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pairs=st.sets(st.tuples(st.integers(1, 5), POSITIONS), max_size=20),
    keys=st.sets(st.integers(1, 6), max_size=4),
    after=st.just(0) | POSITIONS,
    until=POSITIONS,
)
def test_what_is_met_is_what_stands_there(
    database: Database, pairs: set[tuple[int, int]], keys: set[int], after: int, until: int
) -> None:
    with database.write() as conn:
        conn.execute(delete(shipment_keys))
        shipments.add_keys(conn, [key for key, _ in pairs], [position for _, position in pairs])

    with database.read() as conn:
        met = list(findings.met(conn, list(keys), after=after, until=until))

    assert sorted(met) == sorted((key, at) for key, at in pairs if key in keys and after < at <= until)


def test_each_key_is_one_look_up(tmp_path: Path) -> None:
    """It runs whenever records are indexed, however many there are."""
    database = new_database(f"sqlite:///{tmp_path / 'plan.sqlite3'}")
    said: list[str] = []
    with database.read() as conn:
        driver: Any = conn.connection.dbapi_connection
        driver.set_trace_callback(said.append)
        list(findings.met(conn, [1, 2, 3], after=0, until=5))
        (statement,) = [one for one in said if "shipment_keys" in one]
        plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()
    database.close()

    assert [row[3] for row in plan] == [
        "SEARCH shipment_keys USING PRIMARY KEY (cell=? AND key=? AND position>? AND position<?)"
    ]
