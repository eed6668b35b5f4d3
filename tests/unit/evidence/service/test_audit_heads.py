"""The audit log is signed: whoever edits the database by hand, and chains it anew, is found, and the place is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select, update

from gateway.errors import GatewayError, NotFoundError, SignatureInvalidError, StoreUnavailableError
from gateway.evidence.codec.audit_head import audit_feed, read_head_entry, verify_head_file
from gateway.evidence.service.audit_heads import (
    AUDIT_LOG_CHANGED,
    SIGN_AFTER_S,
    AuditHeadSigner,
    export_head,
    newest_signed,
    read_head_file,
)
from gateway.evidence.service.verification import DatabaseReport, verify_database
from gateway.feed.service.alarms import Alarms
from gateway.feed.tables.feeds import get, read_entries
from gateway.feed.tables.schema import checkpoints, entries, feeds, journal, tiles
from gateway.trust import tables as audit
from gateway.trust.rules.audit import EMPTY_HEAD, AuditEntry, AuditResult, extend
from gateway.trust.service.audit_queue import DRAIN_EVENTS
from gateway.trust.service.trial_federation import FEDERATION
from gateway.trust.tables import audit_events
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes

ORIGIN = audit_feed(FEDERATION, "cn")


class Monotonic:
    """Seconds that only a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """A node whose audit log is signed, with a folder beside its database."""

    def __init__(self, node: PaperNode, folder: Path) -> None:
        self.node = node
        self.kept = folder / "audit.head"
        self.monotonic = Monotonic()
        self.start()

    def start(self) -> None:
        """As another process."""
        self.alarms = Alarms(self.node.clock)
        self.signer = AuditHeadSigner(
            self.node.database,
            writer=self.node.writer,
            origin=ORIGIN,
            kept=self.kept,
            trust=lambda: self.node.trust,
            record=self.node.audit.record,
            alarms=self.alarms,
            clock=self.node.clock,
            monotonic_s=self.monotonic,
        )

    def record(self, count: int, principal: str = "system/cn/desk") -> None:
        for _ in range(count):
            self.node.audit.record(
                AuditEntry(time_ms=self.node.clock(), principal=principal, method="/s/M", result=AuditResult.ALLOW)
            )
        self.node.writer.flush_audit()

    def minute(self) -> None:
        self.monotonic.now += SIGN_AFTER_S
        self.signer.step()

    def heads(self) -> list[int]:
        """Events under each signed head."""
        with self.node.database.read() as conn:
            feed = feeds_size(conn)
            return [] if feed == 0 else [self._head(conn, index) for index in range(feed)]

    def _head(self, conn: Connection, index: int) -> int:
        (entry,) = read_entries(conn, get(conn, ORIGIN).id, index, index + 1)
        signed = read_head_entry(ORIGIN, entry)
        assert signed is not None
        return signed.head.seq

    def verify(self, *head_files: Path) -> DatabaseReport:
        files = [*head_files, *([self.kept] if self.kept.exists() else [])]
        return verify_database(
            self.node.database,
            self.node.trust,
            node="cn",
            progress=lambda _: None,
            kept_heads=[read_head_file(path, self.node.trust, "cn") for path in files],
        )

    def edit(self, work: Callable[[Connection], Any]) -> None:
        with self.node.database.write() as conn:
            work(conn)

    def is_due(self) -> bool:
        """After the node's look at its database."""
        self.node.database.look_for_commits()
        return self.signer.is_due


def feeds_size(conn: Connection) -> int:
    return conn.execute(select(feeds.c.size).where(feeds.c.origin == ORIGIN.line)).scalar_one_or_none() or 0


@pytest.fixture
def desk(tmp_path: Path, make_database: MakeDatabase) -> Iterator[Desk]:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (cn,):
        yield Desk(cn, tmp_path)


@pytest.fixture
def signed(desk: Desk) -> Desk:
    """Heads over 0, 10 and 20 of 23 events."""
    desk.signer.step()
    for count in (10, 10, 3):
        desk.record(count)
        if count == 10:
            desk.minute()
    assert desk.heads() == [0, 10, 20]
    assert desk.verify().findings == ()
    return desk


def rechained(conn: Connection) -> None:
    """Numbers and hashes as a forger without the key makes them fit again."""
    rows = conn.execute(select(audit_events).order_by(audit_events.c.seq)).all()
    conn.execute(delete(audit_events))
    head = EMPTY_HEAD
    for row in rows:
        event = AuditEntry.from_bytes(bytes(row.body))
        head = extend(head, bytes(row.body))
        values = {"principal": event.principal, "method": event.method, "result": row.result, "reason": row.reason}
        conn.execute(
            audit_events.insert().values(seq=head.seq, time=event.time_ms, body=row.body, hash=head.hash, **values)
        )


def reassigned(conn: Connection, seq: int) -> None:
    body = conn.execute(select(audit_events.c.body).where(audit_events.c.seq == seq)).scalar_one()
    conn.execute(
        update(audit_events)
        .where(audit_events.c.seq == seq)
        .values(body=bytes(body).replace(b"system/cn/desk", b"system/cn/else"))
    )
    rechained(conn)


def removed(conn: Connection, first: int, last: int) -> None:
    conn.execute(delete(audit_events).where(audit_events.c.seq.between(first, last)))
    rechained(conn)


def emptied_and_filled(conn: Connection) -> None:
    bodies = conn.execute(select(audit_events.c.body).where(audit_events.c.seq > 20)).scalars().all()
    conn.execute(delete(audit_events))
    audit.append(conn, [AuditEntry.from_bytes(bytes(body)) for body in bodies])


EDITS: dict[str, tuple[Callable[[Connection], Any], int, str]] = {
    "the tail is cut": (lambda c: removed(c, 20, 23), 20, "event 20 is missing"),
    "the middle is removed": (lambda c: removed(c, 12, 14), 11, "events 11 to 20 are not"),
    "an event is reassigned and chained anew": (lambda c: reassigned(c, 7), 1, "events 1 to 10 are not"),
    "a later one is reassigned and chained anew": (lambda c: reassigned(c, 17), 11, "events 11 to 20 are not"),
    "the table is emptied": (lambda c: c.execute(delete(audit_events)), 1, "events 1 to 10 are missing"),
    "the table is emptied and filled anew": (emptied_and_filled, 4, "events 4 to 10 are missing"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_log_that_was_edited_and_chained_anew_is_found(signed: Desk, name: str) -> None:
    edit, first, problem = EDITS[name]
    signed.kept.unlink()  # the database alone shows it
    signed.edit(edit)
    report = signed.verify()
    (finding,) = report.findings
    assert (finding.place, finding.index, finding.step) == ("audit", first, "8 audit")
    assert problem in finding.problem
    assert report.audit_coverage is None


def cut_with_its_heads(conn: Connection) -> None:
    """The newest head goes too, so that every table agrees again and every signature in them is genuine."""
    feed = conn.execute(select(feeds.c.id).where(feeds.c.origin == ORIGIN.line)).scalar_one()
    before = conn.execute(select(checkpoints).where(checkpoints.c.feed_id == feed, checkpoints.c.size == 2)).one()
    conn.execute(delete(checkpoints).where(checkpoints.c.feed_id == feed, checkpoints.c.size > 2))
    conn.execute(delete(entries).where(entries.c.feed_id == feed, entries.c.idx >= 2))
    conn.execute(delete(journal).where(journal.c.feed_id == feed, journal.c.first_index >= 2))
    hashes = conn.execute(select(tiles.c.hashes).where(tiles.c.feed_id == feed)).scalar_one()
    conn.execute(update(tiles).where(tiles.c.feed_id == feed).values(hashes=bytes(hashes)[:64]))
    conn.execute(
        update(feeds)
        .where(feeds.c.id == feed)
        .values(size=2, journaled_size=2, checkpoint=before.note, edge=before.root)
    )
    removed(conn, 11, 23)


def test_a_log_that_was_cut_together_with_its_heads_is_found_by_a_head_outside(signed: Desk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "auditor.head"
    elsewhere.write_bytes(export_head(signed.node.database, ORIGIN))
    signed.edit(cut_with_its_heads)
    (finding,) = signed.verify().findings
    assert (finding.index, finding.problem) == (11, "events 11 to 20 are missing: a trusted head covers 20")
    signed.kept.unlink()
    assert signed.verify().findings == ()  # on its own the database can't know
    (finding,) = signed.verify(elsewhere).findings
    assert finding.index == 11


def test_heads_that_were_dropped_alone_are_missed(signed: Desk) -> None:
    def drop(conn: Connection) -> None:
        feed = select(feeds.c.id).where(feeds.c.origin == ORIGIN.line).scalar_subquery()
        for table in (checkpoints, entries, tiles, journal):
            conn.execute(delete(table).where(table.c.feed_id == feed))
        conn.execute(delete(feeds).where(feeds.c.origin == ORIGIN.line))

    signed.edit(drop)
    (finding,) = signed.verify().findings
    assert (finding.index, finding.problem) == (
        20,
        "the feed of heads has 0 entries, a head kept elsewhere is its entry 2",
    )
    signed.start()
    signed.minute()
    (alarm,) = signed.alarms.list()
    assert "signed heads of the audit log are missing" in alarm.message


def test_a_restart_notices_that_the_log_was_cut_and_says_so_in_the_log(signed: Desk) -> None:
    signed.edit(cut_with_its_heads)
    signed.start()
    signed.minute()
    assert [alarm.code for alarm in signed.alarms.list()] == ["AUDIT_LOG"]
    signed.minute()
    with signed.node.database.read() as conn:
        (newest, *_) = audit.list_events(conn)
    assert (newest.event.reason, newest.event.principal) == (AUDIT_LOG_CHANGED, "gateway/cn")
    assert signed.heads() == [0, 10, 11]


def test_a_log_changed_while_the_node_runs_raises_an_alarm(signed: Desk) -> None:
    signed.edit(lambda conn: reassigned(conn, 17))
    signed.minute()
    assert [alarm.code for alarm in signed.alarms.list()] == ["AUDIT_LOG"]
    (finding,) = signed.verify().findings
    assert finding.index == 11


def test_nobody_else_signs_a_head(signed: Desk) -> None:
    feed_id = 1
    with signed.node.database.read() as conn:
        payload = bytes(conn.execute(select(entries.c.payload).where(entries.c.idx == 2)).scalar_one())
    forged = payload.replace(b"\x14", b"\x0a", 1)
    assert forged != payload

    def forge(conn: Connection) -> None:
        conn.execute(update(entries).where(entries.c.feed_id == feed_id, entries.c.idx == 2).values(payload=forged))

    signed.edit(forge)
    found = {(finding.place, finding.step) for finding in signed.verify().findings}
    assert (ORIGIN.line, "2 entries") in found


def test_what_was_recorded_before_the_first_head_is_told(desk: Desk) -> None:
    desk.record(5)
    assert desk.verify().audit_coverage is None
    before = desk.node.clock.now
    desk.signer.step()
    desk.record(2)
    coverage = desk.verify().audit_coverage
    assert coverage is not None
    assert (coverage.recorded_before, coverage.signed) == (5, 5)
    assert coverage.since.timestamp() * 1000 >= before


def test_an_idle_node_writes_nothing(signed: Desk) -> None:
    signed.minute()
    sizes = signed.heads()
    for _ in range(10):
        signed.minute()
    assert signed.heads() == sizes == [0, 10, 20, 23]
    signed.signer.finish()
    signed.start()
    signed.signer.step()
    assert signed.heads() == sizes


def test_events_are_signed_within_a_minute_and_not_more_often(desk: Desk) -> None:
    desk.signer.step()
    for _ in range(9):
        desk.record(1)
        desk.monotonic.now += 5
        desk.signer.step()
    assert desk.heads() == [0, 9]


def test_a_stop_signs_what_still_waited_in_the_queue(desk: Desk) -> None:
    desk.node.writer.stop()
    count = DRAIN_EVENTS + 5
    for number in range(count):
        desk.node.audit.record(AuditEntry(number, "system/cn/desk", "/s/M", AuditResult.ALLOW))
    restart_writer(desk)
    desk.start()
    desk.signer.finish()
    assert desk.heads() == [count]


def test_a_stopping_writer_leaves_no_audit_event_behind(desk: Desk) -> None:
    for number in range(DRAIN_EVENTS + 5):
        desk.node.audit.record(AuditEntry(number, "system/cn/desk", "/s/M", AuditResult.ALLOW))
    desk.node.writer.stop()
    assert len(desk.node.audit) == 0
    restart_writer(desk)


def restart_writer(desk: Desk) -> None:
    desk.node.__post_init__()
    desk.node.writer.start()


def test_a_failure_is_made_up_for_at_the_stop(signed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: Any) -> Any:
        raise StoreUnavailableError("disk full")

    monkeypatch.setattr(signed.node.writer, "run", fails)
    with pytest.raises(StoreUnavailableError):
        signed.minute()
    monkeypatch.undo()
    signed.signer.finish()
    assert signed.heads() == [0, 10, 20, 23]


def test_a_kept_head_is_verified_before_it_counts(signed: Desk, tmp_path: Path) -> None:
    file = signed.kept.read_bytes()
    head = verify_head_file(file, signed.node.trust, "cn")
    with signed.node.database.read() as conn:
        assert head == newest_signed(conn, ORIGIN)
    with pytest.raises(SignatureInvalidError, match="not of"):
        verify_head_file(file, signed.node.trust, "hk")
    for at in range(0, len(file), 7):
        changed = bytearray(file)
        changed[at] ^= 1
        with pytest.raises(GatewayError):
            verify_head_file(bytes(changed), signed.node.trust, "cn")
    signed.kept.write_bytes(b"nonsense")
    signed.start()
    signed.minute()
    assert [alarm.code for alarm in signed.alarms.list()] == ["AUDIT_LOG"]


def test_there_is_no_head_before_the_first(desk: Desk) -> None:
    with pytest.raises(NotFoundError):
        export_head(desk.node.database, ORIGIN)


def test_only_new_commits_make_the_log_due(desk: Desk) -> None:
    desk.record(2)
    assert desk.is_due()
    desk.minute()
    desk.monotonic.now += SIGN_AFTER_S
    assert desk.is_due()  # the signed head was a commit itself
    desk.signer.step()
    assert not desk.is_due()
    desk.record(1)
    assert desk.is_due()
    desk.signer.step()
    assert not desk.is_due()  # the last head is too young


@pytest.mark.both_databases
def test_no_head_is_signed_while_the_clock_is_outside_the_directorys_validity(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """It would be wrong for `gateway verify` for good."""
    desk.record(3)
    desk.minute()
    year_ms = 366 * 24 * 3_600_000
    desk.node.clock.forward(20 * year_ms)
    desk.record(3)
    desk.minute()
    desk.minute()
    desk.signer.finish()
    assert desk.heads() == [3]
    assert [record.message[:38] for record in caplog.records if record.levelname == "ERROR"] == [
        "the audit log's head isn't signed: at "
    ]
    desk.node.clock.forward(-20 * year_ms)
    desk.record(1)
    desk.minute()
    assert desk.heads()[-1] == 7
    assert not desk.verify().findings
