import os

import pytest

from gateway.db.database import Database
from gateway.feed.tables import requests
from gateway.feed.tables.requests import AnsweredRequest

pytestmark = pytest.mark.both_databases


def answered(number: int, principal: str = "system/cn/risk-engine", response: bytes = b"answer") -> AnsweredRequest:
    return AnsweredRequest(number.to_bytes(16, "big"), principal, os.urandom(32), response)


def test_what_is_remembered_is_found_by_its_principal_alone(database: Database) -> None:
    mine, theirs = answered(1), answered(1, "system/cn/other", b"other")
    with database.write() as conn:
        assert requests.remember(conn, [mine, answered(2)], now_ms=1_000)
        assert requests.remember(conn, [theirs], now_ms=1_000)
    with database.read() as conn:
        wanted = [number.to_bytes(16, "big") for number in (1, 3)]
        assert requests.find(conn, "system/cn/risk-engine", wanted) == {mine.request_id: mine}
        assert requests.find(conn, "system/cn/other", wanted) == {theirs.request_id: theirs}
        assert requests.find(conn, "system/cn/nobody", wanted) == {}


def test_a_repeated_id_says_so_and_the_first_answer_stays(database: Database) -> None:
    first, second = answered(1), answered(1, response=b"second")
    with database.write() as conn:
        assert requests.remember(conn, [first], now_ms=1_000)
    with database.write() as conn:
        assert not requests.remember(conn, [second], now_ms=1_000)
        assert not requests.remember(conn, [answered(5), second, answered(6)], now_ms=1_000)
    with database.read() as conn:
        assert requests.find(conn, first.principal, [first.request_id]) == {first.request_id: first}


def test_a_repetition_within_a_savepoint_can_be_taken_back(database: Database) -> None:
    first = answered(1)
    with database.write() as conn:
        requests.remember(conn, [first], now_ms=1_000)
    with database.write() as conn:
        savepoint = conn.begin_nested()
        assert not requests.remember(conn, [answered(2), answered(1)], now_ms=1_000)
        savepoint.rollback()
    with database.read() as conn:
        assert requests.find(conn, first.principal, [(2).to_bytes(16, "big")]) == {}


def test_many_are_counted_exactly(database: Database) -> None:
    with database.write() as conn:
        assert requests.remember(conn, [answered(number) for number in range(1500)], now_ms=1_000)
    with database.write() as conn:
        assert not requests.remember(conn, [answered(number) for number in range(1499, 2500)], now_ms=1_000)


def test_old_answers_are_forgotten_the_oldest_first(database: Database) -> None:
    with database.write() as conn:
        for number, at in ((1, 3_000), (2, 1_000), (3, 2_000), (4, 4_000)):
            requests.remember(conn, [answered(number)], now_ms=at)
    with database.write() as conn:
        assert requests.forget(conn, 4_000, 2) == 2
    ids = [number.to_bytes(16, "big") for number in range(1, 5)]
    with database.read() as conn:
        kept = requests.find(conn, "system/cn/risk-engine", ids)
    assert set(kept) == {ids[0], ids[3]}
    with database.write() as conn:
        assert requests.forget(conn, 4_000, 2) == 1
        assert requests.forget(conn, 4_000, 2) == 0
