"""What is said beside a field as one types."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from gateway.console.agreed import nodes_of
from gateway.console.current import CurrentPage, set_current_page
from gateway.console.form import Form
from gateway.console.languages import ReaderLocale
from gateway.console.pages.alert.finding import checked_as
from gateway.console.views.codes import commodity_codes, places, substances
from gateway.console.views.remarks import remark_on, remark_on_sought, remarks_of
from gateway.translation.messages import in_language


@pytest.fixture(autouse=True)
def english() -> None:
    set_current_page(CurrentPage(ReaderLocale("en", ZoneInfo("UTC")), "", ""))


def said(what: str, value: str, substance: str = "") -> tuple[str, str]:
    remark = remark_on(what, value, substance=substance)
    assert remark is not None
    return remark.kind, remark.text


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("99.65", "good", "99.65 %"),
        ("99,65 %", "good", "99.65 %"),
        ("99.9999", "good", "99.9999 %"),
        ("0", "good", "0 %"),
        ("100.1", "warn", "A purity lies between 0 and 100 %."),
        ("high", "warn", "Enter a number, e.g. 20000 or 99.65."),
        ("-1", "warn", "Enter a number, e.g. 20000 or 99.65."),
    ],
)
def test_a_purity_is_a_number_up_to_100(value: str, kind: str, text: str) -> None:
    assert said("purity", value) == (kind, text)


def test_a_purity_is_held_against_what_the_control_asks() -> None:
    assert said("purity", "99.99", "antimony oxide") == (
        "warn",
        "antimony oxide is controlled from ≥ 99.99 % on: this reaches it.",
    )
    assert said("purity", "99.98", "三氧化二锑")[0] == "quiet"
    assert said("purity", "99.999", "antimony hydride")[0] == "quiet", "only above it"
    assert said("purity", "50", "gallium metal") == ("good", "50 %"), "its control asks none"


def test_a_locode_that_isnt_known_is_no_name_of_a_place() -> None:
    assert said("locode", "HKHKG") == ("good", "Hong Kong, HK")
    assert "as its name" not in said("locode", "XXXXX")[1]


def test_what_is_looked_for_may_be_several() -> None:
    remark = remark_on_sought("container", "CSQU3054383, CSQU3054380")
    assert remark is not None
    assert remark.text.startswith("CSQU3054380: ")
    assert remark_on_sought("container", "CSQU3054383，CSQU3054383") is None
    assert remark_on_sought("place", "MO") is None, "a territory"
    assert remark_on_sought("code", "8110") is None, "the beginning of a code"
    one = remark_on_sought("substance", "Sb")
    assert one is not None
    assert one.text == "Controlled: antimony"


def test_remarks_of_a_form_are_by_its_fields() -> None:
    sent = Form.with_values({"goods-0-purity": "99.5", "goods-0-substance": "antimony oxide", "remarks": "none"})
    assert {name: remark.kind for name, remark in remarks_of(sent, checked_as).items()} == {
        "goods-0-purity": "quiet",
        "goods-0-substance": "warn",
    }


def test_what_a_form_offers_is_in_the_readers_language() -> None:
    with in_language("zh-Hans"):
        assert ("HKHKG", "香港") in places()
        assert ("锑", "") in substances()
        assert ("targets with dysprosium", "镝") in substances()
        assert dict(commodity_codes())["8110101000"].startswith("锑")
        assert "锑" in said("code", "811010")[1]
        assert said("substance", "antimony") == ("warn", "受管制：锑")


def test_nodes_are_chosen_or_typed() -> None:
    assert nodes_of(Form({"partners": ["hk", "mo"]}), "partners") == ["hk", "mo"]
    assert nodes_of(Form({"partners": ["HK, mo；hk"]}), "partners") == ["hk", "mo"]
    assert nodes_of(Form(), "partners") == []
