"""A database is looked over: whatever was changed in the truth is found, with its feed and entry."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, select, text, update

from gateway.alerts.commands.placing import PublishCommand
from gateway.evidence.service.verification import DatabaseReport, verify_database, work_in
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables.feeds import find as find_feed
from gateway.feed.tables.schema import checkpoints, entries, feeds, journal, tiles
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.trust.tables import audit_events
from gateway.v1 import alert_service_pb2, feed_pb2
from tests.support.author import Author
from tests.support.databases import MakeDatabase
from tests.support.histories import random_history
from tests.support.nodes import NODES, PaperNode, alert_content, deliver, exchange, paper_nodes

ORIGIN = "gba.customs.example/cn/hk/alerts"
BACK = "gba.customs.example/hk/cn/alerts"
_BULK = 300


def looked_over(node: PaperNode) -> DatabaseReport:
    return verify_database(node.database, node.trust, node=node.name, progress=lambda _: None)


def audit_event(number: int) -> AuditEntry:
    return AuditEntry(time_ms=number, principal="system/cn/desk", method="/s/M", result=AuditResult.ALLOW)


def publish_many(node: PaperNode, count: int) -> None:
    """Many alerts under few checkpoints, so that tiles fill and level 1 begins."""
    prepared = [
        node.publisher.prepare(
            alert_service_pb2.PublishAlertRequest(
                request_id=f"019bbef3-b003-7000-8000-{number:012x}",
                recipients=["hk"],
                content=alert_content(node.clock.now),
            ),
            "risk-engine",
        )
        for number in range(count)
    ]
    node.writer.run(PublishCommand(prepared, principal="system/cn/risk-engine"))


def filled(cn: PaperNode, hk: PaperNode) -> None:
    cn.publish("hk")
    exchange(cn, hk)
    publish_many(cn, _BULK)
    exchange(cn, hk)
    cn.publish("hk")  # under way: no receipt yet
    cn.settle()
    for node in (cn, hk):
        for number in range(3):
            node.audit.record(audit_event(number))
        node.writer.run(_Nothing())


class _Nothing:
    weight = 1

    def execute(self, tx: Transaction) -> None:
        """Lets the audit events be written."""


def test_a_sound_database_has_no_findings_and_everything_was_looked_at(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    with paper_nodes(tmp_path, make_database, NODES) as nodes:
        random_history(nodes, seed=3, steps=40)
        for node in nodes:
            node.audit.record(audit_event(1))
            node.writer.run(_Nothing())
            done: list[int] = []
            total = work_in(node.database)
            report = verify_database(node.database, node.trust, node=node.name, progress=done.append)
            assert report.findings == ()
            assert sum(done) == total
            assert report.audit_events == 1
            with node.database.read() as conn:
                stored = {row.origin: row.size for row in conn.execute(select(feeds.c.origin, feeds.c.size))}
                receipts = conn.execute(select(func.count()).where(checkpoints.c.receipted_at > 0)).scalar_one()
            assert {feed.origin: feed.entries for feed in report.feeds} == stored
            assert sum(feed.receipts for feed in report.feeds) == receipts > 0


def test_an_empty_database_is_sound(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (cn,):
        assert replace(looked_over(cn), unchecked=()) == DatabaseReport((), 0, 0, ())


def this(table: Any, **key: int) -> Any:
    return [table.c[name] == value for name, value in key.items()]


def changed_byte(column: Any, table: Any, conn: Connection, at: int = 5, **key: int) -> None:
    value = bytearray(conn.execute(select(column).where(*this(table, **key))).scalar_one())
    value[at] ^= 1
    conn.execute(update(table).where(*this(table, **key)).values({column.name: bytes(value)}))


def first_note(conn: Connection) -> bytes:
    return conn.execute(select(checkpoints.c.note).where(*this(checkpoints, feed_id=1, size=1))).scalar_one()


def last_position(conn: Connection) -> int:
    return conn.execute(select(func.max(journal.c.first_position))).scalar_one()


Damage = Callable[[Connection], Any]

DAMAGES: dict[str, tuple[Damage, tuple[str, int | None, str]]] = {
    "payload": (lambda c: changed_byte(entries.c.payload, entries, c, feed_id=1, idx=7), (ORIGIN, 7, "2 entries")),
    "salt": (lambda c: changed_byte(entries.c.salt, entries, c, feed_id=1, idx=0), (ORIGIN, 0, "2 entries")),
    "half erased": (
        lambda c: c.execute(update(entries).where(*this(entries, feed_id=1, idx=9)).values(payload=b"")),
        (ORIGIN, 9, "2 entries"),
    ),
    "time in a header": (
        lambda c: changed_byte(entries.c.header, entries, c, at=-1, feed_id=1, idx=280),
        (ORIGIN, 280, "3 tree"),
    ),
    "header that is none": (
        lambda c: c.execute(update(entries).where(*this(entries, feed_id=1, idx=8)).values(header=os.urandom(60))),
        (ORIGIN, 8, "3 tree"),
    ),
    "entry gone": (
        lambda c: c.execute(delete(entries).where(*this(entries, feed_id=1, idx=100))),
        (ORIGIN, 100, "2 entries"),
    ),
    "last entry gone": (
        lambda c: c.execute(delete(entries).where(*this(entries, feed_id=1, idx=301))),
        (ORIGIN, 301, "2 entries"),
    ),
    "leaf in a tile": (
        lambda c: changed_byte(tiles.c.hashes, tiles, c, at=32 * 17 + 3, feed_id=1, level=0, tile=0),
        (ORIGIN, 17, "3 tree"),
    ),
    "leaf in the second tile": (
        lambda c: changed_byte(tiles.c.hashes, tiles, c, at=32 * 4, feed_id=1, level=0, tile=1),
        (ORIGIN, 260, "3 tree"),
    ),
    "node in a tile": (
        lambda c: changed_byte(tiles.c.hashes, tiles, c, feed_id=1, level=1, tile=0),
        (ORIGIN, 0, "3 tree"),
    ),
    "tile gone": (
        lambda c: c.execute(delete(tiles).where(*this(tiles, feed_id=1, level=1))),
        (ORIGIN, 0, "3 tree"),
    ),
    "root in a column": (
        lambda c: changed_byte(checkpoints.c.root, checkpoints, c, feed_id=1, size=1),
        (ORIGIN, 0, "3 tree"),
    ),
    "checkpoint": (
        lambda c: changed_byte(checkpoints.c.note, checkpoints, c, at=-20, feed_id=1, size=301),
        (ORIGIN, 300, "4 checkpoints"),
    ),
    "a checkpoint of another size": (
        lambda c: c.execute(
            update(checkpoints).where(*this(checkpoints, feed_id=1, size=301)).values(note=first_note(c))
        ),
        (ORIGIN, 300, "4 checkpoints"),
    ),
    "checkpoint gone": (
        lambda c: c.execute(delete(checkpoints).where(*this(checkpoints, feed_id=1, size=302))),
        (ORIGIN, None, "1 head"),
    ),
    "receipt": (
        lambda c: changed_byte(checkpoints.c.cosignature, checkpoints, c, at=-9, feed_id=1, size=1),
        (ORIGIN, 0, "5 receipts"),
    ),
    "time of a receipt": (
        lambda c: c.execute(
            update(checkpoints)
            .where(*this(checkpoints, feed_id=1, size=1))
            .values(receipted_at=checkpoints.c.receipted_at + 1000)
        ),
        (ORIGIN, 0, "5 receipts"),
    ),
    **{
        f"receipt at {at}": (
            lambda c, at=at: c.execute(
                update(checkpoints).where(*this(checkpoints, feed_id=1, size=301)).values(receipted_at=at)
            ),
            (ORIGIN, 300, "5 receipts"),
        )
        for at in (2**62, -(2**62))
    },
    "receipt gone": (
        lambda c: c.execute(
            update(checkpoints).where(*this(checkpoints, feed_id=1, size=301)).values(receipted_at=0, cosignature=b"")
        ),
        (ORIGIN, None, "6 head"),
    ),
    "receipt of nobody": (
        lambda c: c.execute(update(feeds).where(*this(feeds, id=1)).values(receipted_size=302)),
        (ORIGIN, None, "6 head"),
    ),
    "size": (lambda c: c.execute(update(feeds).where(*this(feeds, id=1)).values(size=301)), (ORIGIN, 301, "1 head")),
    "edge": (lambda c: changed_byte(feeds.c.edge, feeds, c, id=1), (ORIGIN, None, "6 head")),
    "newest checkpoint": (lambda c: changed_byte(feeds.c.checkpoint, feeds, c, id=1), (ORIGIN, None, "6 head")),
    "name": (
        lambda c: c.execute(update(feeds).where(*this(feeds, id=1)).values(origin="gba.customs.example/cn/mo/alerts")),
        ("gba.customs.example/cn/mo/alerts", 0, "4 checkpoints"),
    ),
    "other feed": (lambda c: changed_byte(entries.c.payload, entries, c, feed_id=2, idx=0), (BACK, 0, "2 entries")),
    "journal run gone": (
        lambda c: c.execute(delete(journal).where(journal.c.first_position == 2)),
        ("journal", 2, "7 journal"),
    ),
    "last journal run gone": (
        lambda c: c.execute(delete(journal).where(journal.c.first_position == last_position(c))),
        (ORIGIN, 301, "7 journal"),
    ),
    "journal run of another feed": (
        lambda c: c.execute(update(journal).where(journal.c.first_position == 1).values(feed_id=2)),
        ("journal", 2, "7 journal"),
    ),
    "audit event": (lambda c: changed_byte(audit_events.c.body, audit_events, c, seq=2), ("audit", 2, "8 audit")),
    "audit event gone": (
        lambda c: c.execute(delete(audit_events).where(audit_events.c.seq == 1)),
        ("audit", 1, "8 audit"),
    ),
}


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Any:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        filled(cn, hk)
        yield cn


def test_each_damage_is_found_and_its_place_named(node: PaperNode) -> None:
    assert looked_over(node).findings == ()
    for name, (damage, expected) in DAMAGES.items():
        report = looked_over_damaged(node, damage)
        found = [(finding.place, finding.index, finding.step) for finding in report.findings]
        assert expected in found, (name, report.findings)
        assert len(found) <= 6, (name, found)
    assert looked_over(node).findings == ()


def looked_over_damaged(node: PaperNode, damage: Damage) -> DatabaseReport:
    """Damages, looks through the same uncommitted transaction, and takes the damage back."""
    with node.database.write() as conn:
        savepoint = conn.begin_nested()
        damage(conn)
        report = verify_database(_Through(conn), node.trust, node=node.name, progress=lambda _: None)  # type: ignore[arg-type]
        savepoint.rollback()
    return report


class _Through:
    """Reads through one open connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def read(self) -> Any:
        return nullcontext(self._conn)


def test_text_where_bytes_belong_is_found_at_its_entry(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        cn.publish("hk")
        exchange(cn, hk)
        with cn.database.write() as conn:
            conn.execute(text("UPDATE entries SET payload = 'edited by hand' WHERE feed_id = 1 AND idx = 0"))
        (finding,) = looked_over(cn).findings
        assert (finding.place, finding.index, finding.step) == (ORIGIN, 0, "2 entries")


def test_blanked_entries_are_found(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        cn.publish("hk")
        exchange(cn, hk)
        with cn.database.write() as conn:
            conn.execute(update(entries).where(entries.c.feed_id == 1).values(salt=b"", payload=b""))
        (finding,) = looked_over(cn).findings
        assert (finding.place, finding.index, finding.step) == (ORIGIN, 0, "2 entries")


def test_entries_that_wait_have_no_position_and_nothing_else_may_lack_one(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        cn.publish("hk")
        exchange(cn, hk)
        author = Author(cn, "hk")
        with hk.database.read() as conn:
            held = find_feed(conn, author.origin)
        assert held is not None
        author.tree = held.tree
        alert = author.alerts(1)[0]
        header = feed_pb2.EntryHeader.FromString(alert.header)
        header.follows = 99
        alert.header = header.SerializeToString(deterministic=True)
        hk.writer.run(hk.receiver.open_batch("cn", author.batch(alert, *author.alerts(2))))
        assert looked_over(hk).findings == ()

        def journaled(size: int) -> Damage:
            return lambda conn: conn.execute(update(feeds).where(feeds.c.id == held.id).values(journaled_size=size))

        for size in (0, 2, 4):
            found = looked_over_damaged(hk, journaled(size)).findings
            assert [(one.place, one.index, one.step) for one in found] == [(author.origin.line, 1, "7 journal")], size

        def forget_the_last_run(conn: Connection) -> Any:
            """The position of an entry that waits for nothing, and what its feed says of it."""
            last = select(func.max(journal.c.first_position)).scalar_subquery()
            run = conn.execute(select(journal).where(journal.c.first_position == last)).one()
            conn.execute(delete(journal).where(journal.c.first_position == run.first_position))
            conn.execute(update(feeds).where(feeds.c.id == run.feed_id).values(journaled_size=run.first_index))

        (finding,) = looked_over_damaged(hk, forget_the_last_run).findings
        assert (finding.step, "waits for nothing" in finding.problem) == ("7 journal", True)


@pytest.mark.both_databases
def test_a_node_that_works_meanwhile_disturbs_nothing(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        publish_many(cn, 30)
        exchange(cn, hk)
        left = 5

        def work(_: int) -> None:
            nonlocal left
            if left:
                left -= 1
                cn.publish("hk")
                deliver(cn, hk)

        assert verify_database(cn.database, cn.trust, node=cn.name, progress=work).findings == ()
        assert left < 5
        assert verify_database(cn.database, cn.trust, node=cn.name, progress=lambda _: None).findings == ()


@pytest.mark.both_databases
def test_audit_events_are_counted(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (cn,):
        with cn.database.write() as conn:
            audit.append(conn, [audit_event(number) for number in range(7)])
        assert looked_over(cn).audit_events == work_in(cn.database) == 7
