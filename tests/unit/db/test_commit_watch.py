"""Who follows a database looks again after commits, of any process, and otherwise seldom."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gateway.db.commit_watch
from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.feed.tables import journal

pytestmark = pytest.mark.both_databases

LONG_S = 3_600.0


def move(database: Database, position: int) -> None:
    with database.write() as conn:
        journal.move_projected(conn, position)


def looks(database: Database, news: NewsSince) -> bool:
    """Whether the one who follows looks now; a look notes that."""
    database.look_for_commits()
    is_due = news.is_due
    if is_due:
        news.looked()
    return is_due


def test_the_first_look_is_due_and_then_one_after_each_commit(database: Database) -> None:
    news = NewsSince(database.commits, most_s=LONG_S)
    assert looks(database, news)
    assert not looks(database, news)
    move(database, 1)
    assert looks(database, news)
    assert not looks(database, news)


def test_reads_and_commits_without_effect_are_no_news(database: Database) -> None:
    news = NewsSince(database.commits, most_s=LONG_S)
    looks(database, news)
    for _ in range(3):
        with database.read() as conn:
            journal.projected_position(conn)
        with database.write():
            pass
    assert not looks(database, news)


def test_each_who_follows_is_told(database: Database) -> None:
    several = [NewsSince(database.commits, most_s=LONG_S) for _ in range(2)]
    assert [looks(database, news) for news in several] == [True, True]
    move(database, 1)
    assert [looks(database, news) for news in several] == [True, True]


def test_what_is_committed_during_a_look_is_news_after_it(database: Database) -> None:
    news = NewsSince(database.commits, most_s=LONG_S)
    database.look_for_commits()
    assert news.is_due
    move(database, 1)
    database.look_for_commits()
    news.looked()
    assert news.is_due


def test_a_look_that_failed_is_due_again(database: Database) -> None:
    news = NewsSince(database.commits, most_s=LONG_S)
    database.look_for_commits()
    assert news.is_due
    assert news.is_due


def test_time_and_a_watch_that_stands_still_make_a_look_due(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = NewsSince(database.commits, most_s=0.0)
    assert looks(database, often)
    assert looks(database, often)
    seldom = NewsSince(database.commits, most_s=LONG_S)
    assert looks(database, seldom)
    assert not seldom.is_due
    monkeypatch.setattr(gateway.db.commit_watch, "STALE_S", 0.0)
    assert seldom.is_due


def test_another_processs_commit_is_news(database: Database) -> None:
    news = NewsSince(database.commits, most_s=LONG_S)
    looks(database, news)
    url = database.engine.url.render_as_string(hide_password=False)
    code = (
        "import sys; from gateway.db.database import Database; from gateway.feed.tables import journal\n"
        "database = Database(sys.argv[1])\n"
        "with database.write() as conn: journal.move_projected(conn, 5)\n"
        "database.close()"
    )
    subprocess.run(
        [sys.executable, "-c", code, url.replace("postgresql+psycopg", "postgresql")], check=True, timeout=120
    )
    assert looks(database, news)
