"""Own entries whose validity ends soon: shown, raised as an alarm while it lasts, and warned of once."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError
from gateway.feed.service.alarms import LIST_EXPIRES, Alarms
from gateway.feed.tables import dispositions, feeds
from gateway.feed.tables.dispositions import DispositionRow
from gateway.trust.rules.audit import AuditEntry
from gateway.trust.rules.permissions import Role
from gateway.v1 import watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.commands.expiry import MOST_NAMED, UNNAMED, ListExpiry, WarnExpiringCommand
from gateway.watchlists.commands.proposals import ExpireListedCommand, ProposeCommand
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.rules.visibility import visibility_of
from gateway.watchlists.tables import lists as watchlists
from tests.support.databases import MakeDatabase, new_database
from tests.support.nodes import DAY_MS, PaperNode, exchange, listed_content, paper_nodes

LISTS = ("minerals", "vans", "quiet")


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        for name in LISTS:
            made[0].policies[name] = ListPolicy(four_eyes=False)
        made[0].warn_before_ms.update(vans=30 * DAY_MS, quiet=0)
        propose(made[0], "minerals", A=10, B=20, C=None)
        propose(made[0], "vans", D=20)
        propose(made[0], "quiet", E=1)
        exchange(*made)
        yield made


def propose(node: PaperNode, name: str, revision: int = 0, **days: int | None) -> None:
    """Entries with the days that are left to the end of their validity."""
    entries = []
    for entry_id, left in days.items():
        until = {} if left is None else {"valid_until": to_timestamp(node.clock.now + left * DAY_MS)}
        entries.append(pb.ProposedEntry(id=entry_id, revision=revision, content=listed_content(**until)))
    request = pb.ProposeEntriesRequest(request_id=str(uuid.uuid4()), list=name, entries=entries)
    node.writer.run(ProposeCommand(node.lists, request, "system/cn/risk-engine", "risk-engine"))
    node.settle()


def shown(node: PaperNode, condition: str) -> list[str]:
    return [one.entry.id for one in node.list_queries.list(pb.ListEntriesRequest(filter=condition)).entries]


def warned(node: PaperNode) -> list[AuditEntry]:
    events: list[AuditEntry] = []
    count = node.writer.run(WarnExpiringCommand(node.expiry, node.name, events.append))
    assert count == sum(dict(event.counts)["entries"] for event in events)
    return events


@pytest.mark.both_databases
def test_what_ends_soon_is_shown_by_each_lists_own_time(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    assert shown(cn, "expiring = true") == ["A", "D"]
    assert shown(cn, 'expiring = true AND list = "vans"') == ["D"]
    assert shown(hk, "expiring = true") == [], "a partner's entries are for their owner to renew"
    until = cn.clock.now + 15 * DAY_MS
    time = to_timestamp(until).ToJsonString()
    for node in nodes:
        assert shown(node, f'valid_until < "{time}"') == ["A", "E"]
        assert shown(node, f'valid_until >= "{time}"') == ["B", "D"]
    for wrong in ("expiring = false", "valid_until < tomorrow", 'valid_until < "2026-01-15T08:00:00"'):
        with pytest.raises(InvalidRequestError):
            shown(cn, wrong)


def test_an_alarm_lasts_as_long_as_something_ends_soon(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    alarms = Alarms(cn.clock)

    def raised() -> dict[str, str]:
        cn.expiry.watch(cn.database, alarms)
        assert {alarm.code for alarm in alarms.list()} <= {LIST_EXPIRES}
        return {alarm.subject: alarm.message for alarm in alarms.list()}

    assert set(raised()) == {"cn/minerals", "cn/vans"}
    begin = "entries of minerals whose validity ends within 14 days: 1, the first at 2026-01-2"
    assert raised()["cn/minerals"].startswith(begin)
    assert "within 30 days" in raised()["cn/vans"]
    cn.clock.forward(7 * DAY_MS)
    assert "within 14 days: 2, " in raised()["cn/minerals"]
    propose(cn, "vans", revision=1, D=None)
    assert set(raised()) == {"cn/minerals"}
    cn.clock.forward(14 * DAY_MS)
    cn.writer.run(ExpireListedCommand(cn.lists))
    cn.settle()
    assert raised() == {}


@pytest.mark.both_databases
def test_a_list_is_named_to_its_roles_alone(nodes: list[PaperNode], caplog: pytest.LogCaptureFixture) -> None:
    cn = nodes[0]
    hidden = visibility_of("cn", {name: frozenset({Role.SUPERVISOR}) for name in ("minerals", "cn/vans")})
    expiry, alarms = ListExpiry("cn", cn.clock, cn.warn_before_ms, hidden), Alarms(cn.clock)
    expiry.watch(cn.database, alarms)
    named = [alarm.message for alarm in alarms.seen_by(frozenset({Role.SUPERVISOR, Role.OPERATOR}))]
    assert [message.partition(" whose")[0] for message in named] == ["entries of minerals", "entries of vans"]
    for roles in ({Role.OPERATOR}, {Role.AUDITOR, Role.OFFICER}, set()):
        assert [alarm.message for alarm in alarms.seen_by(frozenset(roles))] == [UNNAMED], "once for both"
    events: list[AuditEntry] = []
    cn.writer.run(WarnExpiringCommand(expiry, "cn", events.append))
    assert [(event.reason, event.subject_ids, event.counts) for event in events] == [(LIST_EXPIRES, (), ())] * 2
    cn.clock.forward(30 * DAY_MS)
    cn.writer.run(ExpireListedCommand(cn.lists))
    cn.settle()
    expiry.watch(cn.database, alarms)
    assert alarms.list() == []
    assert UNNAMED in caplog.text
    assert not {"minerals", "vans"} & set(re.findall(r"\w+", caplog.text))


@pytest.mark.both_databases
def test_each_entry_is_warned_of_once_and_named_in_the_audit_log(nodes: list[PaperNode]) -> None:
    cn = nodes[0]
    events = warned(cn)
    assert [(event.principal, event.reason, event.subject_ids) for event in events] == [
        ("gateway", LIST_EXPIRES, ("cn/minerals/A",)),
        ("gateway", LIST_EXPIRES, ("cn/vans/D",)),
    ]
    assert warned(cn) == []
    cn.clock.forward(7 * DAY_MS)
    assert [event.subject_ids for event in warned(cn)] == [("cn/minerals/B",)]
    assert warned(cn) == []
    propose(cn, "minerals", **{f"F{at:02}": 15 + at for at in range(MOST_NAMED + 5)})
    cn.clock.forward(14 * DAY_MS + DAY_MS // 2)
    (event,) = warned(cn)
    assert event.counts == (("entries", MOST_NAMED + 4),), "the last of them ends a day later"
    assert event.subject_ids == tuple(f"cn/minerals/F{at:02}" for at in range(MOST_NAMED))


def test_a_long_list_isnt_gone_through_to_find_what_ends(tmp_path: Path) -> None:
    """What ends is looked for every few seconds, in the writer's turn: by the index on valid_until alone."""
    database = new_database(f"sqlite:///{tmp_path / 'plan.sqlite3'}")
    expiry = ListExpiry("cn", lambda: 10 * DAY_MS, {"vans": 30 * DAY_MS, "quiet": 0})
    asked: list[str] = []
    with database.read() as conn:
        event.listen(conn, "before_cursor_execute", lambda *call: asked.extend(plan(call[1], call[2], call[3])))
        watchlists.due_to_expire(conn, "cn", 10 * DAY_MS, 500)
        watchlists.ending_by_list(conn, expiry.condition())
        watchlists.ending_first(conn, expiry.condition(since_ms=DAY_MS), "vans", 10)
    database.close()
    found = [step for step in asked if "list_entries" in step]
    assert len(found) == 3
    assert all("ix_list_entries_valid_until" in step for step in found), found


def plan(cursor: Any, statement: str, parameters: Any) -> list[str]:
    steps = cursor.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
    return [str(step[3]) for step in steps.fetchall()]


@pytest.mark.both_databases
def test_a_partners_entry_past_its_validity_is_told_where_its_end_cant_arrive(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    for node in nodes:
        assert shown(node, "expired_by_clock = true") == []
    cn.clock.forward(15 * DAY_MS)  # cn is down
    for node in nodes:
        assert shown(node, "expired_by_clock = true") == ["A", "E"]
        assert shown(node, "expired_by_clock = false") == ["B", "C", "D"]
        entries = node.list_queries.list(pb.ListEntriesRequest()).entries
        assert {one.entry.id for one in entries if one.expired_by_clock} == {"A", "E"}
        reference = watchlist_pb2.WatchlistReference(publisher="cn", list="minerals", id="A")
        assert node.list_queries.get(reference).expired_by_clock
    first = hk.list_queries.list(pb.ListEntriesRequest(filter="expired_by_clock = false", page_size=1))
    hk.clock.forward(30 * DAY_MS)
    request = pb.ListEntriesRequest(filter="expired_by_clock = false", page_token=first.next_page_token)
    later = [one.entry.id for one in hk.list_queries.list(request).entries]
    assert [one.entry.id for one in first.entries] + later == ["B", "C", "D"], "pages are by the time of the first"
    with pytest.raises(InvalidRequestError):
        shown(hk, "expired_by_clock = perhaps")


def test_what_a_partner_refused_isnt_told_as_active_there(nodes: list[PaperNode]) -> None:
    cn, _ = nodes
    reference = watchlist_pb2.WatchlistReference(publisher="cn", list="minerals", id="A")
    (copy,) = cn.list_queries.get(reference).copies
    assert (copy.state, copy.outcome) == (pb.COPY_STATE_ACTIVE, "applied")
    with cn.database.write() as conn:
        feed = feeds.get(conn, FeedOrigin.parse(copy.sent.origin))
        dispositions.add(conn, DispositionRow(feed.id, copy.sent.index, 1, "rejected", "AGREEMENT_FORBIDS", b"", 1))
    (copy,) = cn.list_queries.get(reference).copies
    assert (copy.state, copy.outcome) == (pb.COPY_STATE_REFUSED, "rejected")
