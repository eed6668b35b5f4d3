"""New matches of one entry are one notification for each recipient, one mail and one request; each counts once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.console.pages.notifications import path_of
from gateway.feed.service.writing.transaction import Transaction
from gateway.notifications.codec.mail import mail_of
from gateway.notifications.codec.messages import shown
from gateway.notifications.commands.delivering import ForgetCommand, MarkReadCommand, NoteAttemptCommand
from gateway.notifications.commands.gathering import gather
from gateway.notifications.commands.keeping import Audience, KeepGatheredCommand
from gateway.notifications.rules.audience import RuleBook
from gateway.notifications.rules.gathered import GATHERED_FOR_MS, SPAN_MS
from gateway.notifications.service.sending import DeliveryAttempt
from gateway.notifications.tables import notifications as rows
from gateway.notifications.tables import notified_matches
from gateway.translation.notification_texts import sentence_of
from gateway.trust.rules.permissions import Role
from gateway.v1.notification_service_pb2 import (
    Notification,
    NotificationAudience,
    NotificationChannel,
    NotificationKind,
    NotificationRule,
    SetNotificationRulesRequest,
)
from gateway.watchlists.tables import matches
from gateway.watchlists.tables.matches import MatchRow
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes
from tests.unit.notifications.test_gathering import Desk, person
from tests.unit.watchlists.commands.test_match_groups import row

MATCH = NotificationKind.NOTIFICATION_KIND_MATCH
ENTRY = "W-04"
HOOK = "webhook/case-system"


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("hk", "cn")) as made:
        yield made[0]


@dataclass(frozen=True)
class Found:
    """Matches that are found or written again."""

    new: list[MatchRow]
    changed: list[MatchRow]
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        matches.write(tx.conn, self.new, self.changed)


def find(node: PaperNode, numbers: range, entry: str = ENTRY, *, partner: str = "cn") -> list[MatchRow]:
    now = node.clock.now
    found = [replace(row(at, entry, f"Party {at}"), found_at=now, source_publisher=partner) for at in numbers]
    node.writer.run(Found(found, []))
    return found


def analysts(node: PaperNode) -> Desk:
    """Two analysts, one of whom is mailed, and a webhook; notifications are on."""
    channels = [NotificationChannel.NOTIFICATION_CHANNEL_EMAIL]
    book = RuleBook(
        own={"person/hk/chan": SetNotificationRulesRequest(rules=[NotificationRule(kinds=[MATCH], channels=channels)])},
        shared=[NotificationRule(kinds=[MATCH], audience=NotificationAudience(webhook="case-system"))],
        webhooks=["case-system"],
    )
    people = [person("chan", Role.ANALYST, email="chan@customs.hk.example"), person("li", Role.ANALYST)]
    desk = Desk(node, people, book)
    assert desk.begin()
    return desk


def counts(desk: Desk, name: str = "chan") -> list[int]:
    return [one.matches for one in desk.told(name)]


def posted(node: PaperNode) -> list[Notification]:
    """What the webhook is to get now."""
    with node.database.read() as conn:
        found = [one.row for one in rows.due(conn, HOOK, node.clock.now, 100)]
    return [shown(r.body, number=r.number, created_at=r.created_at, read_at=r.read_at) for r in found]


def deliver(node: PaperNode, way: str) -> None:
    with node.database.read() as conn:
        due = rows.due(conn, way, node.clock.now, 100)
    attempt = DeliveryAttempt(tuple(one.row.number for one in due))
    node.writer.run(NoteAttemptCommand(way, due, attempt, 1_000_000))


def read_all(desk: Desk, name: str = "chan") -> None:
    desk.node.writer.run(MarkReadCommand(f"person/hk/{name}", [], desk.told(name)[-1].position))


@pytest.mark.both_databases
def test_matches_of_an_entry_are_one_notification_one_mail_and_one_request(node: PaperNode) -> None:
    desk = analysts(node)
    find(node, range(1, 1_401))  # more than one gathering reads
    find(node, range(2_001, 2_003), "W-05")
    desk.look()
    for name in ("chan", "li"):
        many, few = sorted(desk.told(name), key=lambda one: -one.matches)
        assert (many.matches, many.entry, many.list, many.partner) == (1_400, ENTRY, "hk/minerals", "cn")
        assert many.match_id == row(1_400, ENTRY, "").match_id, "the newest leads to the group"
        assert sentence_of(many) == "1400 new matches of entry W-04 on minerals of HK"
        assert few.matches == 2
        assert path_of(many) == f"/watchlists/matches/alike/entry/{many.match_id}"
    assert (desk.waiting("email"), desk.waiting(HOOK)) == (2, 2), "one for each entry"
    assert posted(node) == [], "they wait for more"
    node.clock.forward(GATHERED_FOR_MS)
    assert sorted(one.matches for one in posted(node)) == [2, 1_400]


@pytest.mark.both_databases
def test_further_matches_are_added_to_the_unread_one_and_come_to_who_watches(node: PaperNode) -> None:
    desk = analysts(node)
    find(node, range(1, 31))
    desk.look()
    (before,) = desk.told("chan")
    node.clock.forward(3_600_000)
    find(node, range(31, 39))
    desk.look()
    (after,) = desk.told("chan")
    assert (after.matches, after.since) == (38, before.since)
    assert after.position > before.position
    assert after.event_id != before.event_id, "who takes each id once takes it too"
    with node.database.read() as conn:
        watched = rows.after(conn, "person/hk/chan", before.position, 10)
    assert [one.number for one in watched] == [after.position]
    read_all(desk)
    find(node, range(39, 41))
    desk.look()
    assert counts(desk) == [38, 2], "what was read stays"
    assert counts(desk, "li") == [40], "each reader's own"
    node.clock.forward(SPAN_MS)
    find(node, range(41, 42))
    desk.look()
    assert counts(desk) == [38, 2, 1], "a day later it is another one"
    with node.database.read() as conn:
        assert rows.unread(conn, "person/hk/chan") == 2


@pytest.mark.both_databases
def test_a_webhook_counts_each_match_once_and_a_mail_follows_what_was_sent(node: PaperNode) -> None:
    desk = analysts(node)
    find(node, range(1, 11))
    desk.look()
    node.clock.forward(GATHERED_FOR_MS // 2)
    find(node, range(11, 16))
    desk.look()
    node.clock.forward(GATHERED_FOR_MS // 2 + 100)
    assert [one.matches for one in posted(node)] == [15], "at the time that the first has set"
    find(node, range(16, 18))  # while the request is under way
    desk.look()
    deliver(node, HOOK)
    deliver(node, "email")
    node.clock.forward(GATHERED_FOR_MS)
    assert [one.matches for one in posted(node)] == [2], "beside the 15 that were sent"
    assert counts(desk) == [17]
    find(node, range(18, 20))
    desk.look()
    assert desk.waiting("email") == 1


def test_a_match_that_is_written_again_counts_once(node: PaperNode) -> None:
    desk = analysts(node)
    found = find(node, range(1, 6))
    desk.look()
    read_all(desk)
    node.writer.run(Found([], [replace(one, source_revision=2) for one in found]))
    desk.look()
    assert counts(desk) == [5]
    node.writer.run(ForgetCommand(node.clock.now + 1, 100))
    with node.database.read() as conn:
        assert notified_matches.known(conn, [one.match_id for one in found]) == set()


def test_a_rule_for_a_partner_counts_that_partners_alone(node: PaperNode) -> None:
    rule = NotificationRule(kinds=[MATCH], partners=["mo"])
    own = {"person/hk/chan": SetNotificationRulesRequest(rules=[rule])}
    desk = Desk(node, [person("chan", Role.ANALYST), person("li", Role.ANALYST)], RuleBook(own=own))
    assert desk.begin()
    find(node, range(1, 4), partner="cn")
    find(node, range(4, 6), partner="mo")
    desk.look()
    (of_mo,) = desk.told("chan")
    assert (of_mo.matches, of_mo.partner) == (2, "mo")
    (of_all,) = desk.told("li")
    assert (of_all.matches, of_all.partner) == (5, "")


def test_the_count_is_right_when_a_gathering_is_cut_off(node: PaperNode) -> None:
    desk = analysts(node)
    find(node, range(1, 451))
    audience = Audience(desk.people, desk.book)

    def read() -> KeepGatheredCommand:
        with node.database.read() as conn:
            gathered = gather(conn, desk.sources, audience, now_ms=node.clock.now, proposals_too=False)
        assert gathered is not None
        return KeepGatheredCommand(gathered)

    class CutOff(KeepGatheredCommand):
        def execute(self, tx):  # type: ignore[no-untyped-def]
            super().execute(tx)
            raise RuntimeError("the machine stops here")

    node.writer.run(read())
    assert counts(desk) == [200]
    with pytest.raises(RuntimeError):
        node.writer.run(CutOff(read().gathered))
    assert counts(desk) == [200]
    same = read()
    node.writer.run(same)
    assert node.writer.run(same) is None, "another replica has written it"
    desk.look()
    assert counts(desk) == counts(desk, "li") == [450]
    assert desk.waiting(HOOK) == 1


def test_a_mail_names_no_entry_that_a_partner_has_written_and_leads_to_the_group(node: PaperNode) -> None:
    desk = analysts(node)
    find(node, range(1, 4), "call me at evil.example")
    desk.look()
    mail = mail_of(
        desk.told("chan"),
        sender="gateway@customs.hk.example",
        to="chan@customs.hk.example",
        language="en",
        node="hk",
        console_url="https://console.hk",
        summary=True,
        now_ms=node.clock.now,
    )
    assert mail["Subject"] == "[hk] 3 new matches on minerals of HK"
    assert "evil" not in mail.as_string()
    newest = row(3, "", "").match_id
    assert f"https://console.hk/watchlists/matches/alike/entry/{newest}" in mail.get_content()
