"""A position that a restore has made to mean something else is refused, and never read as another one."""

from __future__ import annotations

import pytest

from gateway.db.database import Database
from gateway.errors import PositionUnknownError
from gateway.feed.tables import restores
from gateway.feed.tables.restores import PositionKind, Restore, number_of, public_position

pytestmark = pytest.mark.both_databases


def restored(database: Database, position: int) -> None:
    """A restore to a state with so many positions."""
    with database.write() as conn:
        number = len(restores.list_all(conn)) + 1
        restores.add(conn, Restore(number, 1_700_000_000_000, 0, position, position, position, (), started=True))


def read(database: Database, position: int, newest: int) -> int:
    with database.read() as conn:
        return number_of(conn, position, PositionKind.ALERT_CHANGES, newest)


def give(database: Database, number: int) -> int:
    with database.read() as conn:
        return public_position(conn, number)


def refused(database: Database, position: int, newest: int) -> tuple[str, int]:
    with pytest.raises(PositionUnknownError) as error:
        read(database, position, newest)
    return error.value.message, int(error.value.metadata["last"])


def test_without_a_restore_a_position_is_the_number(database: Database) -> None:
    assert give(database, 7) == 7
    assert read(database, 7, newest=7) == 7
    assert refused(database, 8, newest=7) == ("position 8 is beyond this gateway's last one, 7", 7)


def test_positions_given_before_a_restore_count_as_far_as_the_restored_state(database: Database) -> None:
    before = [give(database, number) for number in range(101)]
    restored(database, 60)
    assert read(database, before[60], newest=200) == 60
    message, last = refused(database, before[61], newest=200)
    assert "before the database was restored on 2023-11-14 22:13:20 UTC" in message
    assert read(database, last, newest=200) == 60
    after = give(database, 61)
    assert after != before[61]
    assert after < 2**53
    assert read(database, after, newest=200) == 61
    assert read(database, give(database, 0), newest=200) == 0


def test_of_several_restores_the_oldest_state_counts(database: Database) -> None:
    restored(database, 60)
    between = {number: give(database, number) for number in (40, 50, 70)}
    restored(database, 50)
    restored(database, 55)
    assert read(database, 50, newest=90) == 50
    assert read(database, between[50], newest=90) == 50
    assert refused(database, between[70], newest=90)[1] == give(database, 50)
    assert refused(database, 55, newest=90)[1] == give(database, 50)
    assert refused(database, give(database, 5) + (1 << 44), newest=90)  # of a database that was restored more often
