"""What pages say of an alert: its title, what changed between revisions, what stays here when a step is sent."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from gateway.console.current import CurrentPage, set_current_page
from gateway.console.form import Form
from gateway.console.languages import ReaderLocale
from gateway.console.pages.notifications import ShownNotification
from gateway.console.views.alerts.alert import in_reading_order, title_of
from gateway.console.views.alerts.changes import content_changes
from gateway.console.views.alerts.field_names import FIELDS
from gateway.console.views.alerts.sending import sent_groups, step_envelopes, when_published
from gateway.console.views.lists.matches import source_words
from gateway.errors import InvalidRequestError, Violation
from gateway.translation.messages import in_language
from gateway.v1 import alert_pb2, match_pb2
from gateway.v1.alert_service_pb2 import ClassifiedField, PreviewAlertStepResponse
from gateway.v1.notification_service_pb2 import Notification, NotificationKind
from gateway.v1.options_pb2 import DisclosureClass
from tests.support.contract_fields import leaves
from tests.support.federation import alert


@pytest.fixture(autouse=True)
def page() -> Iterator[None]:
    set_current_page(CurrentPage(ReaderLocale("en", ZoneInfo("UTC")), "", ""))
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


def step_preview(said: alert_pb2.AlertEvent, got: alert_pb2.AlertEvent, *paths: str) -> PreviewAlertStepResponse:
    """Of a step that a partner gets as `got`; `paths` are investigative."""
    response = PreviewAlertStepResponse(event=said)
    one = response.recipients.add(recipient="cn", allowed=True, event=got)
    for path in paths:
        one.fields.add(path=path, disclosure_class=DisclosureClass.DISCLOSURE_CLASS_INVESTIGATIVE, allowed=False)
    return response


def test_a_text_that_stays_here_stands_beside_the_words_that_the_partner_reads() -> None:
    flagged = alert_pb2.AlertFlagged(revision=2, reason=alert_pb2.FLAG_REASON_OTHER, explanation="Two on leave")
    said = alert_pb2.AlertEvent(actor="person/chan", flagged=flagged)
    got = alert_pb2.AlertEvent(actor="person/p-7f", flagged=flagged)
    got.flagged.explanation = "Not told"

    (envelope,) = step_envelopes(step_preview(said, got, "flagged.explanation"))

    lines = {group.name: group.lines for group in envelope.groups}
    assert [(line.value, line.goes, line.classes) for line in lines["Reason"]] == [("Other", True, "")]
    (explanation,) = lines["Explanation"]
    assert (explanation.value, explanation.goes, explanation.instead) == ("Two on leave", False, "Not told")
    assert explanation.classes == "investigative"
    assert (envelope.actor, envelope.is_pseudonym) == ("p-7f", True)


def test_an_alert_is_shown_field_by_field_with_what_may_not_go() -> None:
    content = alert()
    content.subject.parties.add(role=1).names.add(text="Example Trading")
    disclosable = alert_pb2.AlertContent()
    disclosable.CopyFrom(content)
    disclosable.subject.parties[0].ClearField("names")
    personal = DisclosureClass.DISCLOSURE_CLASS_PERSONAL
    fields = [ClassifiedField(path="subject.parties[0].names", disclosure_class=personal)]

    groups = {group.name: group.lines for group in sent_groups(content, disclosable, fields)}

    party = {line.name: (line.goes, line.classes) for line in groups["Party 1"]}
    assert party == {"Role": (True, ""), "Name › Text": (False, "personal")}
    assert [line.value for line in groups["Suspicion"]] == ["False declaration"]
    assert all(line.goes for line in groups["Container 1"])


def test_every_field_of_a_step_has_a_name_in_the_readers_language() -> None:
    names = set[str]()
    for kind in alert_pb2.AlertEvent.DESCRIPTOR.oneofs_by_name["event"].fields:
        if kind.name not in ("disposition", "erased", "erasure_refused"):  # no form makes these
            names |= {part.split("[")[0] for leaf in leaves(kind.message_type) for part in leaf.path.split(".")}
    assert names - FIELDS.keys() - {"key", "seconds", "nanos"} == set()


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

    assert form.problems == {"reply_by": "Reply by: is past", "": "Elsewhere: is odd"}


@pytest.mark.parametrize(
    ("alert_id", "shown"),
    [
        ("01a2338c-ba75-76fc-8e6c-1ccb6cd79e12", "published"),
        ("2c2fc41d-d610-4d2a-9526-73d21846a2bb", "2c2fc41d"),  # of no time: a partner's gateway may choose such ids
        ("no id", "no id"),
    ],
)
def test_an_alert_whose_id_says_no_time_is_named_by_it(alert_id: str, shown: str) -> None:
    assert shown in when_published(alert_id)
    source = match_pb2.MatchSource(kind=match_pb2.MATCH_SOURCE_KIND_ALERT, publisher="mo", id=alert_id)
    assert ("Alert of MO, " if shown == "published" else alert_id) in source_words(source)
    kind = NotificationKind.NOTIFICATION_KIND_NEW_ALERT
    notification = Notification(kind=kind, alert=alert_pb2.AlertReference(publisher="mo", alert_id=alert_id))
    assert shown in ShownNotification.of(notification).about
