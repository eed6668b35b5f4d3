"""Who is told of what happens between two nodes: each event once, deadlines before and after, at both sides."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.casework.commands.cases import AssignCommand
from gateway.contract.ids import uuid7
from gateway.contract.messages import to_ms, to_timestamp
from gateway.notifications.codec.messages import shown
from gateway.notifications.commands.gathering import BeginCommand, FireCommand, Sources, gather
from gateway.notifications.commands.keeping import NOTIFICATIONS, Audience, KeepGatheredCommand
from gateway.notifications.rules.audience import Addressee, RuleBook
from gateway.notifications.rules.warnings import WarningTimes
from gateway.notifications.tables import notifications as rows
from gateway.notifications.tables import warnings
from gateway.notifications.tables.progress import PROGRESS
from gateway.trust.rules.permissions import Role
from gateway.trust.service.directory_drafts import remove_member
from gateway.v1 import alert_pb2, watchlist_pb2
from gateway.v1.casework_service_pb2 import AssignAlertsRequest
from gateway.v1.notification_service_pb2 import (
    DeadlineKind,
    Notification,
    NotificationAudience,
    NotificationChannel,
    NotificationKind,
    NotificationRule,
    SetNotificationRulesRequest,
)
from gateway.v1.watchlist_service_pb2 import ProposedEntry, ProposeEntriesRequest
from gateway.watchlists.commands.proposals import ProposeCommand
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.rules.visibility import EVERYTHING_VISIBLE
from gateway.watchlists.tables import screening_reports
from gateway.watchlists.tables.screening_reports import ReportRow
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, listed_content, paper_nodes
from tests.unit.watchlists.commands.test_hits import LIST, answer, report

HOUR_MS = 3_600_000
TIMES = WarningTimes(before_ms=2 * HOUR_MS, share=0.25)


def kind(name: str) -> NotificationKind.ValueType:
    return NotificationKind.Value(f"NOTIFICATION_KIND_{name}")


def person(name: str, *roles: Role, email: str = "") -> Addressee:
    return Addressee(f"person/hk/{name}", frozenset(roles or (Role.OFFICER,)), email=email)


@dataclass
class Desk:
    """Notifications of one paper node, gathered when a test says so."""

    node: PaperNode
    people: Sequence[Addressee]
    book: RuleBook = field(default_factory=RuleBook)

    def __post_init__(self) -> None:
        self.sources = Sources(
            node=self.node.name,
            visibility=EVERYTHING_VISIBLE,
            times=TIMES,
            former=self.node.former_partners,
        )

    def assign(self, alert_id: str, name: str, *, by: str = "chief") -> None:
        """As a colleague does it."""
        request = AssignAlertsRequest(
            request_id=str(uuid.uuid4()),
            alerts=[alert_pb2.AlertReference(publisher="cn", alert_id=alert_id)],
            assignee=name,
        )
        self.node.writer.run(AssignCommand(request, person=by, principal=f"person/hk/{by}", knows=lambda *_: True))

    def begin(self) -> bool:
        return bool(self.node.writer.run(BeginCommand(self.sources)))

    def look(self) -> None:
        """Gathers everything and fires what is due."""
        audience = Audience(self.people, self.book)
        while True:
            with self.node.database.read() as conn:
                found = gather(conn, self.sources, audience, now_ms=self.node.clock.now, proposals_too=True)
            if found is None or not self.node.writer.run(KeepGatheredCommand(found)) or not found.reached:
                break
        self.node.writer.run(FireCommand(self.sources, audience))

    def told(self, name: str = "wong") -> list[Notification]:
        """What a person was told, oldest first."""
        with self.node.database.read() as conn:
            found = rows.after(conn, f"person/hk/{name}", 0, 1_000)
        return [shown(r.body, number=r.number, created_at=r.created_at, read_at=r.read_at) for r in found]

    def kinds(self, name: str = "wong") -> list[str]:
        return [NotificationKind.Name(one.kind).removeprefix("NOTIFICATION_KIND_") for one in self.told(name)]

    def waiting(self, way: str) -> int:
        with self.node.database.read() as conn:
            return rows.way_state(conn, way).waiting


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def ask(node: PaperNode, alert_id: str, within_ms: int) -> str:
    question_id = uuid7(node.clock.now, uuid.uuid4().bytes[:10])
    deadline = to_timestamp(node.clock.now + within_ms)
    node.step("cn", alert_id, question=alert_pb2.AlertQuestion(question_id=question_id, text="?", deadline=deadline))
    return question_id


def test_a_partners_steps_are_told_once_and_own_ones_never(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    desk, sender = Desk(hk, [person("wong")]), Desk(cn, [person("li", Role.PUBLISHER)])
    assert desk.begin()
    assert sender.begin()
    alert_id = cn.publish("hk", reply_by=to_timestamp(cn.clock.now + DAY_MS))
    exchange(cn, hk)
    desk.look()
    desk.look()
    (told,) = desk.told()
    assert (told.kind, told.alert.alert_id, told.partner) == (kind("NEW_ALERT"), alert_id, "cn")
    assert (told.priority, list(told.typologies)) == (alert_pb2.PRIORITY_A, ["false_declaration"])
    assert to_ms(told.due_at) > hk.clock.now
    assert not desk.begin(), "cursors are set once"
    hk.step("cn", alert_id, flagged=alert_pb2.AlertFlagged(revision=1, reason=1, explanation="gone"))
    ask(hk, alert_id, DAY_MS)
    exchange(cn, hk)
    cn.amend(alert_id, 2)
    cn.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=2, reason="void"))
    exchange(cn, hk)
    for one in (desk, sender, desk, sender):
        one.look()
    assert desk.kinds() == ["NEW_ALERT", "AMENDED", "WITHDRAWN"]
    assert sender.kinds("li") == ["FLAG", "QUESTION"]


def test_what_was_there_before_is_not_told_but_its_deadlines_are(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    cn.publish("hk", reply_by=to_timestamp(cn.clock.now + DAY_MS))
    exchange(cn, hk)
    desk = Desk(hk, [person("wong")])
    desk.begin()
    desk.look()
    assert desk.told() == []
    cn.clock.forward(DAY_MS)
    desk.look()
    assert desk.kinds() == ["DEADLINE_PASSED"], "its time to warn before has gone by"


@pytest.mark.both_databases
def test_a_deadline_is_warned_of_before_and_after_at_both_sides(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    desk, sender = Desk(hk, [person("wong")]), Desk(cn, [person("li", Role.PUBLISHER)])
    desk.begin(), sender.begin()
    alert_id = cn.publish("hk", reply_by=to_timestamp(cn.clock.now + DAY_MS))
    exchange(cn, hk)
    desk.look(), sender.look()
    with hk.database.read() as conn:
        assert warnings.next_at(conn) == pytest.approx(cn.clock.now + DAY_MS - 2 * HOUR_MS, abs=1_000)
    hk.clock.forward(DAY_MS - 3 * HOUR_MS)
    desk.look(), sender.look()
    assert desk.kinds() == ["NEW_ALERT"]
    hk.clock.forward(HOUR_MS)
    for one in (desk, sender, desk, sender):
        one.look()
    assert desk.kinds()[1:] == sender.kinds("li") == ["DEADLINE_NEAR"]
    assert desk.told()[1].deadline == sender.told("li")[0].deadline == DeadlineKind.DEADLINE_KIND_REPLY
    assert sender.told("li")[0].partner == "hk"
    hk.clock.forward(2 * HOUR_MS)
    for one in (desk, sender, desk, sender):
        one.look()
    assert desk.kinds()[1:] == sender.kinds("li") == ["DEADLINE_NEAR", "DEADLINE_PASSED"]
    hk.step("cn", alert_id, flagged=alert_pb2.AlertFlagged(revision=1, reason=1, explanation="gone"))
    exchange(cn, hk)
    hk.clock.forward(DAY_MS)
    desk.look(), sender.look()
    assert desk.kinds()[1:] == ["DEADLINE_NEAR", "DEADLINE_PASSED"]


def test_nobody_is_warned_of_a_deadline_of_a_former_partner(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    desk = Desk(hk, [person("wong")])
    desk.begin()
    cn.publish("hk", reply_by=to_timestamp(cn.clock.now + DAY_MS))
    exchange(cn, hk)
    desk.look()
    now = datetime.fromtimestamp(hk.clock.now / 1000, UTC)
    until = now + timedelta(days=14)
    hk.trust.directory = remove_member(hk.trust.directory, "cn", issued_at=now, keys_until=until, threshold=2)
    hk.clock.forward(40 * DAY_MS)
    desk.look()
    assert desk.kinds() == ["NEW_ALERT"], "neither a deadline nor the end of its validity"


def test_the_outbox_is_woken_by_a_deadline_of_which_nobody_is_told(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    desk = Desk(hk, [])
    desk.begin()
    cn.publish("hk", reply_by=to_timestamp(cn.clock.now + 4_000))
    exchange(cn, hk)
    desk.look()
    topics: list[frozenset[str]] = []
    hk.writer.on_commit(lambda commit: topics.append(commit.topics))
    desk.look()
    assert not any(NOTIFICATIONS in told for told in topics), "nothing is due"
    hk.clock.forward(5_000)
    desk.look()
    assert any(NOTIFICATIONS in told for told in topics)


@pytest.mark.both_databases
def test_an_answer_in_time_ends_the_warnings_of_its_question_alone(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    desk, sender = Desk(hk, [person("wong")]), Desk(cn, [person("li", Role.OFFICER)])
    desk.begin(), sender.begin()
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    first, second = ask(hk, alert_id, 4 * HOUR_MS), ask(hk, alert_id, 8 * HOUR_MS)
    assert first != second
    exchange(cn, hk)
    desk.look(), sender.look()
    cn.step("cn", alert_id, recipient="hk", answer=alert_pb2.AlertAnswer(question_id=first, text="A1"))
    exchange(cn, hk)
    desk.look(), sender.look()
    hk.clock.forward(9 * HOUR_MS)
    desk.look(), sender.look()
    assert sender.kinds("li") == ["QUESTION", "QUESTION", "DEADLINE_PASSED"]
    assert sender.told("li")[-1].deadline == DeadlineKind.DEADLINE_KIND_QUESTION_IN
    assert desk.kinds() == ["NEW_ALERT", "ANSWER", "DEADLINE_PASSED"]
    assert desk.told()[-1].deadline == DeadlineKind.DEADLINE_KIND_QUESTION_OUT


@pytest.mark.both_databases
def test_an_expiry_is_told_once_whether_the_clock_or_the_publisher_says_it_first(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    desk = Desk(hk, [person("wong")])
    desk.begin()
    alert_id = cn.publish("hk", valid_until=to_timestamp(cn.clock.now + DAY_MS))
    exchange(cn, hk)
    desk.look()
    cn.clock.forward(DAY_MS)  # the link is down
    desk.look()
    assert desk.kinds() == ["NEW_ALERT", "EXPIRED"]
    assert desk.told()[-1].by_clock
    cn.step("cn", alert_id, expired=alert_pb2.AlertExpired(revision=1))
    exchange(cn, hk)
    desk.look()
    assert desk.kinds() == ["NEW_ALERT", "EXPIRED"]


@pytest.mark.both_databases
def test_rules_choose_by_priority_typology_partner_role_and_assignee(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    new = kind("NEW_ALERT")
    own = {
        "person/hk/urgent": [NotificationRule(kinds=[new], priorities=[alert_pb2.PRIORITY_A])],
        "person/hk/typology": [NotificationRule(kinds=[new], typologies=["concealment"])],
        "person/hk/partner": [NotificationRule(kinds=[new], partners=["mo"])],
        "person/hk/mine": [NotificationRule(kinds=[new], assigned_to_me=True)],
        "person/hk/mail": [NotificationRule(kinds=[new], channels=[NotificationChannel.NOTIFICATION_CHANNEL_EMAIL])],
    }
    book = RuleBook(
        own={name: SetNotificationRulesRequest(rules=rules) for name, rules in own.items()}
        | {"person/hk/nothing": SetNotificationRulesRequest(nothing=True)},
        shared=[
            NotificationRule(kinds=[new], audience=NotificationAudience(role="analyst")),
            NotificationRule(kinds=[new], audience=NotificationAudience(webhook="case-system")),
            NotificationRule(kinds=[new], audience=NotificationAudience(webhook="gone")),
            NotificationRule(kinds=[new], audience=NotificationAudience(recipient="person/hk/operator")),
        ],
        webhooks=["case-system"],
    )
    names = ["urgent", "typology", "partner", "mine", "nothing"]
    desk = Desk(
        hk,
        [
            *map(person, names),
            person("mail", email="mail@hk.example"),
            person("analyst", Role.ANALYST),
            person("operator", Role.OPERATOR),
        ],
        book,
    )
    desk.begin()
    first = cn.publish("hk", priority=alert_pb2.PRIORITY_C)
    cn.publish("hk")
    exchange(cn, hk)
    desk.assign(first, "mine")
    desk.look()
    counts = {name: len(desk.told(name)) for name in (*names, "mail", "analyst", "operator")}
    assert counts == {
        **dict.fromkeys(("typology", "partner", "nothing"), 0),
        **{"urgent": 1, "mine": 1, "mail": 2, "analyst": 2},
        "operator": 0,  # a rule doesn't show what a role may not read
    }
    assert (desk.waiting("email"), desk.waiting("webhook/case-system"), desk.waiting("webhook/gone")) == (2, 2, 0)


@pytest.mark.both_databases
def test_who_is_given_an_alert_is_told_unless_by_oneself(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    desk = Desk(hk, [person("wong"), person("chief", Role.SUPERVISOR), person("other")])
    desk.begin()
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    desk.assign(alert_id, "wong")
    desk.look()
    desk.assign(alert_id, "chief")
    desk.look()
    assert desk.kinds() == ["NEW_ALERT", "ASSIGNED"]
    assert desk.told()[-1].by == "chief"
    assert desk.kinds("chief") == []
    assert desk.kinds("other") == ["NEW_ALERT"]
    desk.assign(alert_id, "", by="wong")
    desk.look()
    assert desk.kinds() == ["NEW_ALERT", "ASSIGNED"]


def test_a_partners_hit_on_an_own_list_is_told_once_and_an_own_hit_never(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    listed(cn, hk)
    earlier = report(hk)
    exchange(cn, hk)
    owner, reporter = Desk(cn, [person("wong"), person("chief", Role.OPERATOR)]), Desk(hk, [person("wong")])
    assert owner.begin()
    assert reporter.begin()
    hit = report(hk)
    report(cn)
    exchange(cn, hk)
    for desk in (owner, owner, reporter):
        desk.look()
    (told,) = owner.told()
    assert (told.kind, told.hit_id, told.partner, told.list) == (kind("HIT"), hit.hit_id, "hk", f"cn/{LIST}")
    assert told.hit_id != earlier.hit_id
    assert owner.told("chief") == []
    assert "HIT" not in reporter.kinds()


def test_who_reported_a_hit_is_told_of_each_answer_once(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    listed(cn, hk)
    by_person, by_system = report(hk, actor="person/wong"), report(hk)
    exchange(cn, hk)
    people = [person("wong"), person("ho"), person("chief", Role.OPERATOR)]
    desk, owner = Desk(hk, people), Desk(cn, [person("wong")])
    assert desk.begin()
    assert owner.begin()
    answer(cn, "hk", by_person.hit_id, watchlist_pb2.HIT_OUTCOME_UNDECIDED)
    exchange(cn, hk)
    for asked in (desk, desk, owner):
        asked.look()
    (told,) = desk.told()
    assert (told.kind, told.hit_id, told.hit_reporter) == (kind("HIT_ANSWERED"), by_person.hit_id, "hk")
    assert (told.partner, told.list) == ("cn", f"cn/{LIST}")
    assert desk.told("ho") == []
    assert owner.told() == []
    answer(cn, "hk", by_person.hit_id, watchlist_pb2.HIT_OUTCOME_FALSE)
    answer(cn, "hk", by_system.hit_id, watchlist_pb2.HIT_OUTCOME_CONFIRMED)
    exchange(cn, hk)
    desk.look()
    assert [one.hit_id for one in desk.told()] == [by_person.hit_id, by_person.hit_id, by_system.hit_id]
    assert [one.hit_id for one in desk.told("ho")] == [by_system.hit_id], "a system has reported it: by the rules"
    assert desk.told("chief") == []


@pytest.mark.both_databases
def test_an_answer_to_a_person_who_is_gone_is_told_by_the_rules(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    listed(cn, hk)
    hit = report(hk, actor="person/gone")
    desk = Desk(hk, [person("wong")])
    assert desk.begin()
    exchange(cn, hk)
    answer(cn, "hk", hit.hit_id, watchlist_pb2.HIT_OUTCOME_FALSE)
    exchange(cn, hk)
    desk.look()
    assert desk.kinds() == ["HIT_ANSWERED"]


def listed(cn: PaperNode, hk: PaperNode) -> None:
    """An entry A on cn's list, at both."""
    cn.policies[LIST] = ListPolicy(four_eyes=False)
    entries = [ProposedEntry(id="A", content=listed_content())]
    proposed = ProposeEntriesRequest(request_id=str(uuid.uuid4()), list=LIST, entries=entries)
    cn.writer.run(ProposeCommand(cn.lists, proposed, "system/cn/risk", "risk"))
    exchange(cn, hk)


@pytest.mark.both_databases
def test_a_second_replica_that_has_read_the_same_writes_nothing(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    desk = Desk(hk, [person("wong")])
    desk.begin()
    cn.publish("hk")
    exchange(cn, hk)
    audience = Audience(desk.people, desk.book)
    with hk.database.read() as conn:
        one, two = (gather(conn, desk.sources, audience, now_ms=hk.clock.now, proposals_too=False) for _ in range(2))
    assert one is not None
    assert two is not None
    assert hk.writer.run(KeepGatheredCommand(one)) is not None
    assert hk.writer.run(KeepGatheredCommand(two)) is None
    assert desk.kinds() == ["NEW_ALERT"]


def test_a_transaction_that_fails_tells_nobody_and_moves_no_cursor(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    desk = Desk(hk, [person("wong")])
    desk.begin()
    cn.publish("hk")
    exchange(cn, hk)
    with hk.database.read() as conn:
        found = gather(conn, desk.sources, Audience(desk.people), now_ms=hk.clock.now, proposals_too=False)
        before = PROGRESS.read(conn)
    assert found is not None

    class Failing(KeepGatheredCommand):
        def execute(self, tx):  # type: ignore[no-untyped-def]
            super().execute(tx)
            raise RuntimeError("the machine stops here")

    with pytest.raises(RuntimeError):
        hk.writer.run(Failing(found))
    with hk.database.read() as conn:
        assert PROGRESS.read(conn) == before
    assert desk.told() == []
    desk.look()
    assert desk.kinds() == ["NEW_ALERT"]


@pytest.mark.both_databases
def test_changed_verdicts_are_told_once_for_each_report(nodes: list[PaperNode]) -> None:
    _cn, hk = nodes
    desk = Desk(hk, [person("chan", Role.ANALYST), person("wong"), person("ops", Role.OPERATOR)])
    with hk.database.write() as conn:
        screening_reports.put(conn, [ReportRow(1, "cn", "un-sc", 1, became=9)])
        screening_reports.end(conn, [1], hk.clock.now - 1)
    assert desk.begin()
    with hk.database.write() as conn:
        screening_reports.put(conn, [ReportRow(2, "cn", "un-sc", hk.clock.now, became=2, ceased=1)])
    desk.look()
    assert desk.told("chan") == []  # neither one of before, nor one that more may come to
    with hk.database.write() as conn:
        screening_reports.end(conn, [2], hk.clock.now)
    desk.look()
    desk.look()
    (told,) = desk.told("chan")
    assert (told.kind, told.list, told.screening_report, told.verdicts) == (
        kind("VERDICTS_CHANGED"),
        "cn/un-sc",
        2,
        3,
    )
    assert desk.kinds("wong") == ["VERDICTS_CHANGED"]
    assert desk.kinds("ops") == []
