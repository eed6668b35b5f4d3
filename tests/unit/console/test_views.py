"""What pages say of an alert: its title, what changed between revisions, what stays here when a step is sent."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from gateway.console.current import CurrentPage, set_current_page
from gateway.console.form import Form
from gateway.console.languages import Place
from gateway.console.views.alerts.alert import in_reading_order, title_of
from gateway.console.views.alerts.changes import content_changes
from gateway.console.views.alerts.sending import SentField, alert_envelopes, step_envelopes
from gateway.errors import InvalidRequestError, Violation
from gateway.translation.messages import in_language
from gateway.v1 import alert_pb2
from gateway.v1.alert_service_pb2 import PreviewAlertResponse
from gateway.v1.options_pb2 import DisclosureClass
from tests.support.federation import alert


@pytest.fixture(autouse=True)
def page() -> Iterator[None]:
    set_current_page(CurrentPage(Place("en", ZoneInfo("UTC")), "", ""))
    with in_language("en"):
        yield


def test_the_title_says_suspicion_and_substance() -> None:
    content = alert()
    assert title_of(alert_pb2.Alert(content=content)) == "False declaration"
    content.goods.add(substance="antimony ingot", element="Sb")
    assert title_of(alert_pb2.Alert(content=content)) == "False declaration: antimony ingot"


@pytest.mark.parametrize(
    ("reader", "order"),
    [
        ("en", ["en", "zh-Hans", "zh-Hant", "pt"]),
        ("zh-Hant", ["zh-Hant", "zh-Hans", "en", "pt"]),
        ("pt", ["pt", "en", "zh-Hans", "zh-Hant"]),
    ],
)
def test_the_readers_language_comes_first_then_the_nearest(reader: str, order: list[str]) -> None:
    narratives = [alert_pb2.Narrative(language=each, text=each) for each in ("zh-Hans", "zh-Hant", "en", "pt")]
    with in_language(reader):
        assert [each.language for each in in_reading_order(narratives)] == order


def test_changes_name_the_field_and_both_values() -> None:
    before = alert()
    after = alert()
    after.valid_until.CopyFrom(before.valid_until)
    after.priority = alert_pb2.PRIORITY_A
    after.subject.equipment[0].seals.append("NEW")
    after.narratives[0].text = "Changed"

    changes = {change.name: (change.before, change.after) for change in content_changes(before, after)}

    assert changes == {
        "Priority": ("C", "A"),
        "Container 1 › Seal 1": ("—", "NEW"),
        "Text for officers 1 › Text": ("Antimony ingots declared as lead.", "Changed"),
    }
    assert content_changes(before, before) == []


def preview(recipient: str, *classes: str) -> PreviewAlertResponse:
    response = PreviewAlertResponse()
    values = [DisclosureClass.Value(f"DISCLOSURE_CLASS_{name}") for name in classes]
    response.recipients.add(recipient=recipient, allowed=True, allowed_classes=values, clause="Article 7")
    return response


def test_what_the_agreement_keeps_here_is_marked() -> None:
    fields = [SentField("Reason", "Other", "reason"), SentField("Explanation", "Secret", "explanation")]

    (kept,) = step_envelopes(alert_pb2.AlertFlagged, fields, ["cn"], preview("cn", "PERSONAL"))
    (sent,) = step_envelopes(alert_pb2.AlertFlagged, fields, ["cn"], preview("cn", "INVESTIGATIVE"))
    (unknown,) = step_envelopes(alert_pb2.AlertFlagged, fields, ["cn"], None)

    assert [bool(row.withheld) for row in kept.rows] == [False, True]
    assert [bool(row.withheld) for row in sent.rows] == [False, False]
    assert not unknown.is_checked


def test_an_amendment_says_which_fields_no_agreement_lets_go() -> None:
    response = preview("hk")
    personal = DisclosureClass.DISCLOSURE_CLASS_PERSONAL
    response.recipients[0].fields.add(path="subject.parties[0].names", disclosure_class=personal, allowed=False)

    (envelope,) = alert_envelopes(
        response, [SentField("Party 1", "a → b", "subject"), SentField("Priority", "B → A", "priority")]
    )

    assert [bool(row.withheld) for row in envelope.rows] == [True, False]


def test_a_form_collects_what_is_wrong() -> None:
    form = Form({"text": ["  "], "number": ["12x"], "at": ["2026-13-45T99:99"], "all": ["a", "", "b"]})

    assert form.required("text") == ""
    assert form.whole_number("number") == 0
    assert form.moment("at", ZoneInfo("Asia/Macau")) is None
    assert form.all("all") == ["a", "b"]
    assert set(form.problems) == {"text", "number", "at"}


def test_times_of_a_form_are_in_the_readers_zone() -> None:
    form = Form({"at": ["2026-11-26T23:45"]})
    at = form.moment("at", ZoneInfo("Asia/Macau"))
    assert at is not None
    assert at.isoformat() == "2026-11-26T15:45:00+00:00"


def test_what_the_gateway_finds_wrong_stands_at_its_field() -> None:
    form = Form()
    error = InvalidRequestError([Violation("content.reply_by", "x", "is past"), Violation("elsewhere", "y", "is odd")])

    form.add_violations(error, {"content.reply_by": "reply_by"})

    assert form.problems == {"reply_by": "is past", "": "elsewhere: is odd"}
