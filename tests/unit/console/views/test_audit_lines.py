"""The audit log for readers: page loads are one line between acts, and every service is in the choice of acts."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from gateway.console.current import CurrentPage, set_current_page
from gateway.console.languages import ReaderLocale
from gateway.console.views.audit import act_groups, audit_lines, full_method, short_method
from gateway.translation.audit_acts import LOCAL, SERVICES
from gateway.translation.audit_sentences import AuditNames
from gateway.translation.messages import in_language
from gateway.v1.evidence_service_pb2 import AuditEvent

NAMES = AuditNames({}, "hk")


@pytest.fixture(autouse=True)
def page() -> None:
    set_current_page(CurrentPage(ReaderLocale("en", ZoneInfo("UTC")), "", ""))


def event(method: str, result: str = "allow", **fields: object) -> AuditEvent:
    return AuditEvent(method=full_method(method), result=result, principal="person/hk/ana", **fields)  # type: ignore[arg-type]


EVENTS = [
    event("GetAlert"),
    event("ListInbox", occurrences=4),
    event("SignOut"),
    event("GetAlert", "deny", reason="PERMISSION_DENIED"),
    event("WatchInbox"),
    event("SuspendLink", reason="Their request"),
]


def test_page_loads_are_one_line_between_acts() -> None:
    lines = list(audit_lines(EVENTS, NAMES, with_loads=False))
    assert [line.loads or line.what for line in lines] == [
        5,
        "signed out",
        "not done: opened alert …",
        1,
        "suspended the link …",
    ]


def test_with_page_loads_each_event_has_its_line() -> None:
    lines = list(audit_lines(EVENTS, NAMES, with_loads=True))
    assert [line.event for line in lines] == EVENTS


def test_a_refusal_has_its_reason_in_words_and_an_act_what_was_stated() -> None:
    refused, stated = [line for line in audit_lines(EVENTS, NAMES, with_loads=True) if line.reason or line.stated]
    assert (refused.result, refused.reason) == (("denied", "bad"), "not allowed for this role")
    assert dict(refused.details)["Reason code"] == "PERMISSION_DENIED"
    assert (stated.reason, stated.stated) == ("", "Their request")


def test_every_service_is_in_the_filter_with_all_its_methods() -> None:
    groups = dict(act_groups())
    assert len(groups) == len(SERVICES) + 1
    for acts in (*SERVICES.values(), LOCAL):
        assert {method for method, _text in groups[acts.title]} == {*acts.acts, *acts.loads}
    chosen = [method for options in groups.values() for method, _text in options]
    assert [short_method(full_method(method)) for method in chosen] == chosen


def test_kinds_of_acts_are_in_the_readers_language() -> None:
    with in_language("pt"):
        assert dict(act_groups()).keys() != {acts.title for acts in (*SERVICES.values(), LOCAL)}
