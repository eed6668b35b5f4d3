"""Events to steps of the model, and the notices about identifiers."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alerts.codec import (
    MAX_NOTICES,
    AlertKey,
    alert_of,
    parse_event,
    purpose_of,
    quality_notices,
    status_value,
    step_of,
)
from gateway.alerts.rules.life import Action, AlertStatus, Side
from gateway.contract.identification.identifiers import Scheme
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import to_ms, to_timestamp
from gateway.errors import MalformedError
from gateway.v1 import alert_pb2
from tests.support.nodes import alert_content

NOW = 1_768_464_000_000
ID, QUESTION = str(uuid.uuid4()), str(uuid.uuid4())
CN_HK = FeedOrigin.parse("gba.customs.example/cn/hk/alerts")

BODIES: dict[Action, tuple[str, dict[str, Any]]] = {
    Action.WITHDRAW: ("withdrawn", {"revision": 3}),
    Action.EXPIRE: ("expired", {"revision": 3}),
    Action.ACKNOWLEDGE: ("acknowledged", {"revision": 3}),
    Action.FLAG: ("flagged", {"revision": 3}),
    Action.CLOSE: ("closed", {"revision": 3}),
    Action.ASK: ("question", {"question_id": QUESTION, "deadline": to_timestamp(NOW + 5)}),
    Action.ANSWER: ("answer", {"question_id": QUESTION}),
    Action.REPORT_FINDING: ("finding", {"revision": 3}),
    Action.CORRECT_FINDING: ("finding_corrected", {"finding": alert_pb2.AlertFinding(revision=3)}),
    Action.WITHDRAW_FINDING: ("finding_withdrawn", {}),
}


def event(action: Action, publisher: str = "cn") -> alert_pb2.AlertEvent:
    made = alert_pb2.AlertEvent(occurred_at=to_timestamp(NOW))
    if action in (Action.PUBLISH, Action.AMEND):
        alert = made.published if action is Action.PUBLISH else made.amended
        alert.id, alert.publisher, alert.recipient, alert.revision = ID, publisher, "hk", 3
        inform = alert_pb2.REQUESTED_ACTION_INFORM
        alert.content.CopyFrom(alert_content(NOW, reply_by=to_timestamp(NOW + 9), requested_action=inform))
        return made
    name, values = BODIES[action]
    body = getattr(made, name)
    body.alert.publisher, body.alert.alert_id = publisher, ID
    body.MergeFrom(type(body)(**values))
    if action is Action.CORRECT_FINDING:
        body.finding.alert.CopyFrom(body.alert)
    return made


@pytest.mark.parametrize("action", list(Action))
def test_each_event_is_its_step(action: Action) -> None:
    read = step_of(event(action), CN_HK)
    assert read.key == AlertKey("cn", ID, "hk")
    assert (read.step.action, read.step.side, read.step.at_unix_ms) == (action, Side.PUBLISHER, NOW)
    assert read.step.revision == (1 if action in (Action.ASK, Action.ANSWER, Action.WITHDRAW_FINDING) else 3)
    assert read.step.question_id == (QUESTION if action in (Action.ASK, Action.ANSWER) else "")
    assert read.step.deadline_unix_ms == (NOW + 5 if action is Action.ASK else 0)
    whole = action in (Action.PUBLISH, Action.AMEND)
    assert (read.step.valid_until_unix_ms is not None) == whole
    assert (read.step.reply_by_unix_ms, read.step.informs) == ((NOW + 9, True) if whole else (None, False))
    assert (alert_of(event(action)) is not None) == whole
    assert purpose_of(event(action)) == ("export_control" if whole else None)


@pytest.mark.parametrize("action", BODIES)
def test_on_a_partners_alert_the_recipient_speaks(action: Action) -> None:
    read = step_of(event(action, publisher="hk"), CN_HK)
    assert (read.key, read.step.side) == (AlertKey("hk", ID, "cn"), Side.RECIPIENT)


@pytest.mark.parametrize("action", list(Action))
def test_no_feed_speaks_of_a_third_partys_alert(action: Action) -> None:
    with pytest.raises(MalformedError):
        step_of(event(action, publisher="mo"), CN_HK)


@pytest.mark.parametrize("action", [Action.PUBLISH, Action.AMEND])
def test_a_whole_alert_is_under_the_feeds_own_names(action: Action) -> None:
    for publisher in ("hk", "mo", ""):
        with pytest.raises(MalformedError):
            step_of(event(action, publisher), CN_HK)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_event_or_malformed(data: bytes) -> None:
    try:
        parse_event(data)
    except MalformedError:
        return


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_time_in_milliseconds_survives_its_timestamp(unix_ms: int) -> None:
    timestamp = to_timestamp(unix_ms)
    assert to_ms(timestamp) == unix_ms
    assert 0 <= timestamp.nanos < 1_000_000_000


def test_every_status_has_its_value_in_the_contract() -> None:
    names = {alert_pb2.AlertStatus.Name(status_value(status)) for status in AlertStatus}
    assert names == {f"ALERT_STATUS_{status.name}" for status in AlertStatus}


def test_doubtful_identifiers_are_noticed_where_they_stand() -> None:
    content = alert_content(NOW)
    content.subject.equipment.add(id="CSQU3054384")
    content.subject.means.add(mode=1).registrations.add(scheme="imo_ship", value="9074728")
    content.subject.parties.add(role=1).names.add(text="x")
    content.subject.parties.add(role=1).identifiers.add(scheme="uscc", value="91350211M000100Y44")
    notices = quality_notices(content)
    assert [(notice.field, notice.scheme) for notice in notices] == [
        ("subject.equipment[1].id", "iso6346"),
        ("subject.means[0].registrations[0].value", "imo_ship"),
        ("subject.parties[1].identifiers[0].value", "uscc"),
    ]
    assert all(notice.code and notice.message for notice in notices)


def test_sound_and_unknown_identifiers_are_not_noticed() -> None:
    content = alert_content(NOW)
    content.subject.means.add(mode=1).registrations.add(scheme="imo_ship", value="9074729")
    content.subject.parties.add(role=1).identifiers.add(scheme="house_number", value="12")
    assert quality_notices(content) == []


@pytest.mark.drift
def test_the_schemes_that_the_contract_names_are_checked() -> None:
    """Under a name that nobody knows an identifier would pass unchecked, and nobody would notice."""
    protos = Path(__file__).parents[3] / "protos" / "gateway" / "v1"
    text = "".join((protos / name).read_text("utf-8") for name in ("goods.proto", "party.proto"))
    named = re.findall(r"// Scheme(?:,|:)(?: e\.g\.)? ([a-z0-9_, ]+); others are carried unchecked", text)
    assert len(named) == 2
    assert {scheme for names in named for scheme in names.split(", ")} <= set(Scheme)


def test_notices_end_where_the_contract_does() -> None:
    content = alert_content(NOW)
    for _ in range(MAX_NOTICES + 10):
        content.subject.equipment.add(id="CSQU3054384")
    assert len(quality_notices(content)) == MAX_NOTICES
