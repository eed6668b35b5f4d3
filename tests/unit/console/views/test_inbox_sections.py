"""The sections of the worklist: what is to be acted on now, what is due later, what has no deadline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.console.current import CurrentPage, set_current_page
from gateway.console.languages import ReaderLocale
from gateway.console.views.acknowledgement import AcknowledgementNote, Reader
from gateway.console.views.inbox import InboxLine, inbox_lines, sections_of
from gateway.console.views.words import finding_text
from gateway.v1 import alert_pb2, casework_service_pb2
from tests.support.federation import alert

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


NOW_SECTION, DUE, LATER, NONE = (
    casework_service_pb2.INBOX_SECTION_NOW,
    casework_service_pb2.INBOX_SECTION_DUE,
    casework_service_pb2.INBOX_SECTION_LATER,
    casework_service_pb2.INBOX_SECTION_UNSPECIFIED,
)


def row(name: str, section: casework_service_pb2.InboxSection.ValueType = LATER) -> InboxLine:
    made = casework_service_pb2.InboxRow(partner="cn", section=section)
    made.summary.alert.id = name
    made.summary.alert.content.CopyFrom(alert(priority=alert_pb2.PRIORITY_C))
    made.summary.alert.content.goods.add(net_mass_kg=12_000)
    made.summary.alert.content.goods.add(gross_mass_kg=500.5)
    return shown(made)


def shown(made: casework_service_pb2.InboxRow, *, person: str = "li", role: str = "officer") -> InboxLine:
    reader = Reader(person, frozenset({role}), {"li": "Li Ming"}, NOW)
    (line,) = inbox_lines([made], reader=reader, asked="priority=3")
    return line


def scheduled(*, refusal: str = "") -> casework_service_pb2.InboxRow:
    """A row that li has acknowledged."""
    made = casework_service_pb2.InboxRow(partner="cn")
    made.wanted.add(action=casework_service_pb2.WANTED_ACTION_ACKNOWLEDGE)
    made.acknowledgement.person = "li"
    made.acknowledgement.leaves_at.FromDatetime(NOW + timedelta(seconds=7))
    if refusal:
        made.acknowledgement.refusal.message = refusal
    return made


@pytest.fixture(autouse=True)
def _in_english() -> None:
    set_current_page(CurrentPage(ReaderLocale("en", ZoneInfo("Asia/Macau")), "", ""))


def test_sections_keep_the_order_within_name_no_empty_one_and_count_the_whole_list() -> None:
    lines = [row("1", DUE), row("2", NOW_SECTION), row("3"), row("4", NOW_SECTION), row("5", NONE)]
    facet = casework_service_pb2.InboxFacet(field="sections")
    facet.values.add(value=str(NOW_SECTION), count=31)
    found = sections_of(lines, [facet], by_urgency=True)
    assert [(one.heading, [line.key[-1] for line in one.lines], one.count) for one in found] == [
        ("Act now", ["2", "4"], 31),
        ("Due later", ["1"], None),
        ("Without a deadline", ["3"], None),
        ("", ["5"], None),
    ]
    assert [one.heading for one in sections_of(lines, [], by_urgency=False)] == [""]


def test_a_row_says_what_is_asked_how_much_and_in_which_case() -> None:
    line = row("1")
    assert (line.asked, line.asked_kind) == ("Inspect", "warn")
    assert line.mass == "12,500.5 kg"
    assert line.case_reference == "CASE-2026-0001"


def test_an_acknowledgement_is_undone_by_who_asked_for_it_or_a_supervisor() -> None:
    mine = shown(scheduled())
    assert mine.acknowledgement == AcknowledgementNote("Acknowledged; leaves in 7 s.", is_unsent=False, may_remove=True)
    theirs = shown(scheduled(), person="wu").acknowledgement
    said = "Acknowledged by Li Ming; leaves in 7 s."
    assert theirs == AcknowledgementNote(said, is_unsent=False, may_remove=False)
    for person, role, may in (("wu", "supervisor", True), ("li", "analyst", False), ("li", "auditor", False)):
        note = shown(scheduled(), person=person, role=role).acknowledgement
        assert note is not None
        assert note.may_remove is may
    assert not mine.to_acknowledge, "it waits already"


def test_what_wasnt_sent_says_why_and_can_be_asked_for_anew() -> None:
    line = shown(scheduled(refusal="li may not acknowledge alerts any more"))
    assert line.acknowledgement is not None
    assert line.acknowledgement.is_unsent
    said = "Your acknowledgement wasn't sent: li may not acknowledge alerts any more."
    assert line.acknowledgement.text == said
    assert line.to_acknowledge
    assert not shown(scheduled(refusal="x"), role="analyst").to_acknowledge
    assert line.path.endswith("?list=priority%3D3&at=0"), "it carries the list along"


def test_a_finding_is_told_in_a_line() -> None:
    finding = alert_pb2.AlertFinding(result=alert_pb2.FINDING_RESULT_AS_DECLARED)
    assert finding_text(finding) == "Inspected: as declared"
    finding.measures.add(kind=alert_pb2.MEASURE_KIND_SEIZED, element="Sb", net_mass_kg=100)
    finding.measures.add(kind=alert_pb2.MEASURE_KIND_DETAINED, element="Fe")
    finding.measures.add(kind=alert_pb2.MEASURE_KIND_RELEASED, net_mass_kg=1.5)
    finding.measures.add(kind=alert_pb2.MEASURE_KIND_RETURNED)
    told = "Inspected: 100 kg antimony seized, iron detained, 1.5 kg released, returned"
    assert finding_text(finding) == told
