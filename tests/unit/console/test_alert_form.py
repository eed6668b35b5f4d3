"""The form of a new alert: what it shows of a content comes back as the same content, with what was changed."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from starlette.datastructures import FormData

from demo import case as story
from gateway.client import AlertReference
from gateway.console.form import Form
from gateway.console.views.alerts.alert_form import read_form, shown
from gateway.console.views.codes import element_of, place_of
from gateway.console.views.remarks import remark_on
from gateway.v1.alert_pb2 import AlertContent
from tests.support.federation import alert

ZONE = ZoneInfo("Asia/Macau")


def drafts() -> list[AlertContent]:
    from datetime import UTC, datetime

    now = datetime(2026, 11, 27, 1, 30, tzinfo=UTC)
    source = AlertReference(publisher="cn", alert_id="019bbf30-0000-7000-8000-000000000000")
    return [alert(), story.alert_from_cn(now), story.alert_from_hk(now, source), story.alert_of_a_consignee(now)]


@pytest.mark.parametrize("content", drafts())
def test_a_draft_that_nobody_changed_stays_as_it_is(content: AlertContent) -> None:
    for name in ("reply_by", "valid_until"):  # the form has minutes
        if content.HasField(name):  # type: ignore[arg-type]
            at = getattr(content, name)
            at.seconds, at.nanos = at.seconds // 60 * 60, 0
    read = read_form(Form(shown(content, ZONE)), content, ZONE)
    assert read.content == content


def test_a_row_changes_its_item_and_an_emptied_one_takes_it_away() -> None:
    base = alert()
    base.subject.equipment[0].seals.append("SEAL1")
    base.subject.equipment[0].e_lock = "LOCK"
    base.subject.equipment.add(id="MSKU0000001")
    sent = Form(shown(base, ZONE))
    sent.values["equipment-0-id"] = ["csqu 305438 3"]
    sent.values["equipment-1-id"] = [""]
    read = read_form(sent, base, ZONE)
    (left,) = read.content.subject.equipment
    assert (left.id, list(left.seals), left.e_lock) == ("CSQU3054383", ["SEAL1"], "LOCK")
    assert read.field_of("content.subject.equipment[0].id") == "equipment-0-id"


def test_violations_stand_at_the_row_that_they_are_about() -> None:
    sent = Form({"goods-2-description": ["Lead"], "goods-5-net_mass_kg": ["x"], "route-0-from": ["nowhere"]})
    read = read_form(sent, AlertContent(), ZONE)
    assert [read.field_of(f"content.goods[{at}].description") for at in (0, 1)] == [
        "goods-2-description",
        "goods-5-description",
    ]
    assert read.field_of("content.handling.classification") == "classification"
    assert read.field_of("content.subject") == "equipment-0-id"
    assert set(sent.problems) == {"goods-5-net_mass_kg", "route-0-from"}


def test_codes_are_known() -> None:
    assert [element_of(name) for name in ("antimony", "锑", "ANTIMÓNIO", "lead", "")] == ["Sb", "Sb", "Sb", "", ""]
    place = place_of("hk hkg")
    assert place is not None
    assert place.territory == "HK"
    kinds = {
        (what, value): getattr(remark_on(what, value), "kind", None)
        for what, value in (
            ("container", "CSQU3054383"),
            ("container", "CSQU3054380"),
            ("place", "XXXXX"),
            ("code", "811010"),
            ("code", "x"),
            ("uscc", "1"),
            ("nothing", "1"),
            ("container", ""),
        )
    }
    assert list(kinds.values()) == ["good", "warn", "warn", "warn", "warn", "warn", None, None]


def test_lines_of_a_text_stay_lines_however_often_a_page_asks_before_it_sends() -> None:
    sent = Form.of(FormData([("text", "one\r\ntwo\rthree")]))
    assert sent.text("text") == "one\ntwo\nthree"
    assert sent.kept() == [("text", "one\ntwo\nthree")]
