"""Alarms last, are repeated with moderation, and end."""

from __future__ import annotations

import pytest

from gateway.contract.limits import MAX_CLOCK_SKEW_MS
from gateway.feed.service.alarms import CLOCK_SKEW, Alarms, Restriction
from gateway.trust.rules.permissions import Role

HOUR_MS = 3_600_000


class Time:
    now = 1_000_000_000_000

    def __call__(self) -> int:
        return self.now


def test_a_lasting_alarm_is_logged_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    alarms = Alarms(time)
    for minute in range(150):
        time.now += 60_000
        alarms.set("DISK", "own", f"{150 - minute} MiB are free")
        alarms.remind()
    alarms.clear("DISK", "own")
    alarms.remind()
    assert [record.getMessage() for record in caplog.records] == [
        "alarm DISK: 150 MiB are free",
        "alarm DISK lasts for 60 min: 90 MiB are free",
        "alarm DISK lasts for 120 min: 30 MiB are free",
        "alarm DISK has passed: 1 MiB are free",
    ]


def test_what_is_kept_replaces_the_alarms_of_its_code() -> None:
    alarms = Alarms(Time())
    alarms.set("OTHER", "x", "stays")
    alarms.keep("BACKLOG", {"hk": ("10 wait", 5), "mo": ("20 wait", 0)})
    alarms.keep("BACKLOG", {"mo": ("30 wait", 0), "us": ("1 waits", 0)})
    assert {(alarm.subject, alarm.message) for alarm in alarms.list() if alarm.code == "BACKLOG"} == {
        ("mo", "30 wait"),
        ("us", "1 waits"),
    }
    assert alarms.counts() == {"OTHER": 1, "BACKLOG": 2}


def test_a_receipt_older_than_what_it_receipts_shows_a_clock_behind() -> None:
    time = Time()
    alarms = Alarms(time)
    sent = time.now - 1_000
    alarms.compare_clocks("hk", sent - MAX_CLOCK_SKEW_MS, not_before_ms=sent)
    assert alarms.list() == [], "within the tolerance"
    alarms.compare_clocks("hk", sent - MAX_CLOCK_SKEW_MS - 1, not_before_ms=sent)
    (alarm,) = alarms.list()
    assert (alarm.code, alarm.message) == (CLOCK_SKEW, "the clock of hk is 300 s behind this one's; check both")
    alarms.compare_clocks("hk", sent - HOUR_MS)
    assert alarms.list() == [alarm], "an old entry proves nothing, and doesn't end it either"
    alarms.compare_clocks("hk", time.now, not_before_ms=sent)
    assert alarms.list() == []


def test_a_restricted_alarm_is_read_by_its_roles_and_looks_the_same_to_all_others() -> None:
    alarms = Alarms(Time())
    restriction = Restriction(frozenset({Role.SUPERVISOR, Role.AUDITOR}), "an answer was wrong")
    for case in ("CASE-1", "CASE-2"):
        alarms.set("ANSWER_WRONG", case, f"the answer to {case} was wrong", restriction=restriction)
    for role in (Role.SUPERVISOR, Role.AUDITOR):
        shown = [alarm.message for alarm in alarms.seen_by(frozenset({role, Role.OFFICER}))]
        assert shown == ["the answer to CASE-1 was wrong", "the answer to CASE-2 was wrong"]
    for roles in (frozenset({Role.OFFICER}), frozenset[Role]()):
        assert [alarm.message for alarm in alarms.seen_by(roles)] == ["an answer was wrong"]
