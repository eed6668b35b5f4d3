"""Forms speak in words: broken rules with the field's name, partners to choose, remarks beside fields, substances."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from tests.support.console.case import Case
from tests.support.console.desk import LANGUAGES
from tests.support.console.trial import ConsoleTrial
from tests.support.console.visitor import Answer, Visitor
from tests.support.console.wrong_forms import SHOWN, forms_in

REMARK = r'<p class="remark-line" id="{}-remark" aria-live="polite"><span class="remark {}">(.*?)</span></p>'


def visitor(trial: ConsoleTrial, node: str, person: str) -> Visitor:
    return Visitor.with_session(trial[node], trial.session(node, person))


def send(who: Visitor, page: str, action: str, values: list[tuple[str, str]], language: str = "en") -> Answer:
    """Sends the form of a page with further values; the page that comes of it."""
    form = next(form for form in forms_in(who.get(page).text) if form.action == action)
    named = {name for name, _value in values}
    hidden = [(one.name, one.value) for one in form.fields if one.kind == "hidden" and one.name not in named]
    usual = {"Origin": who.office.origin, "Sec-Fetch-Site": "same-origin", "Accept-Language": LANGUAGES[language]}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answered = who.send("POST", action, urlencode([*hidden, *values]).encode(), **usual, **kind)
    return who.get(answered.location, **usual) if answered.location.startswith(SHOWN) else answered


@pytest.mark.parametrize(
    ("language", "said"), [("en", "List: isn&#39;t in the form that it needs"), ("zh-Hans", "名单: 格式不符合要求")]
)
def test_what_the_gateway_finds_wrong_with_an_entry_is_said_in_words(
    trial: ConsoleTrial, case: Case, language: str, said: str
) -> None:
    values = {
        "list": "Not a list!",
        "kind": "organisation",
        "names-0-text": "Exemplo",
        "reason": "Seen",
        "legal_basis": "Article 20",
        "purpose": "export_control",
        "requested_action": "inform",
        "classification": "official",
        "onward_transfer": "prohibited",
        "releasable_to": "hk",
        "confirmed": "yes",
    }
    answered = send(visitor(trial, "cn", "officer"), "/watchlists/new", "/watchlists/new", [*values.items()], language)
    assert answered.status == 422
    assert said in answered.text
    assert "regex" not in answered.text
    assert "[a-z" not in answered.text


def test_partners_of_a_rule_are_chosen_and_a_text_of_before_is_read(trial: ConsoleTrial) -> None:
    who = visitor(trial, "hk", "auditor")
    form = next(form for form in forms_in(who.get("/notifications/rules/own/new").text) if "kinds" in form.key)
    kind = next(one.value for one in form.fields if one.name == "kinds")
    assert {one.value for one in form.fields if (one.name, one.kind) == ("partners", "checkbox")} == {"cn", "mo"}
    try:
        new = "/notifications/rules/own/new"
        send(who, new, new, [("kinds", kind), ("partners", "MO, cn")])
        kept = next(form for form in forms_in(who.get("/notifications/rules/own/0").text) if "kinds" in form.key)
        assert {one.value for one in kept.fields if one.name == "partners" and one.checked} == {"cn", "mo"}
        send(who, "/notifications/rules/own/0", "/notifications/rules/own/0", [("kinds", kind), ("partners", "mo")])
        assert "partner MO" in who.get("/notifications/rules").text
    finally:
        who.post("/notifications/rules/reset", {"csrf": who.csrf("/notifications/rules")})


def test_whom_an_alert_may_go_on_to_is_chosen(trial: ConsoleTrial, case: Case) -> None:
    who, path = visitor(trial, "hk", "officer"), f"/alerts/{case.unread.publisher}/{case.unread.alert_id}/ask"
    form = next(form for form in forms_in(who.get(path).text) if form.action == path)
    offered = {one.value for one in form.fields if (one.name, one.kind) == ("onward", "checkbox")}
    assert offered == {"cn"}, "partners, without the alert's publisher"
    deadline = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    for typed in ("cn", "CN ,"):
        answered = send(who, path, path, [("text", "May it go on?"), ("deadline", deadline), ("onward", typed)])
        assert answered.status == 200
        assert 'class="form confirm"' in answered.text


def test_an_import_and_an_entry_offer_partners(trial: ConsoleTrial) -> None:
    for page in ("/watchlists/import", "/watchlists/new"):
        forms = forms_in(visitor(trial, "cn", "officer").get(page).text)
        offered = {one.value for form in forms for one in form.fields if one.name == "releasable_to"}
        assert offered == {"hk", "mo"}, page


def test_remarks_stand_beside_a_findings_fields_without_scripts(trial: ConsoleTrial, case: Case) -> None:
    path = f"/alerts/{case.unread.publisher}/{case.unread.alert_id}/finding"
    values = {
        "goods": "1",
        "edit": "goods",
        "unlocode": "HKHKG",
        "goods-0-code": "811010",
        "goods-0-substance": "三氧化二锑",
        "goods-0-purity": "99,5",
    }
    html = send(visitor(trial, "hk", "officer"), path, f"{path}/upload", [*values.items()], "pt").text
    assert "Hong Kong" in found(html, "unlocode", "good")
    assert "antimónio" in found(html, "goods-0-code", "warn")
    assert "antimónio" in found(html, "goods-0-substance", "warn")
    assert "≥ 99.99 %" in found(html, "goods-0-purity", "quiet")
    for name, what in (("unlocode", "locode"), ("goods-0-code", "code"), ("goods-0-purity", "purity")):
        assert f'hx-get="/alerts/new/check?what={what}&amp;name={name}"' in html


def test_remarks_stand_beside_what_is_looked_for(trial: ConsoleTrial) -> None:
    who = visitor(trial, "hk", "officer")
    values = [("containers", "CSQU3054380"), ("places", "HKHKG")]
    html = send(who, "/history", "/history/search", values).text
    assert "ISO 6346 is 3, not 0" in found(html, "containers", "warn")
    assert "Hong Kong" in found(html, "places", "good")
    html = send(who, "/history", "/history/search", values, "pt").text
    assert "ISO 6346 é 3, não 0" in found(html, "containers", "warn")
    asked = urlencode({"what": "container", "name": "containers", "sought": "yes", "containers": "A1, CSQU3054383"})
    assert "A1: " in who.get(f"/alerts/new/check?{asked}").text


def found(html: str, name: str, kind: str) -> str:
    remark = re.search(REMARK.format(name, kind), html)
    assert remark, f"nothing is said beside {name}"
    return remark[1]


@pytest.mark.parametrize(
    ("language", "name"), [("en", "antimony"), ("zh-Hans", "锑"), ("zh-Hant", "銻"), ("pt", "antimónio")]
)
def test_a_substance_has_its_name_in_the_readers_language(
    trial: ConsoleTrial, case: Case, language: str, name: str
) -> None:
    who = visitor(trial, "hk", "officer")
    html = who.get(
        f"/alerts/{case.from_cn.publisher}/{case.from_cn.alert_id}", Accept_Language=LANGUAGES[language]
    ).text
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", html, re.DOTALL)
    assert heading
    assert name in heading[1]
    assert "antimony ingot" in html, "the publisher's own words stay"
    closed = who.get(
        f"/alerts/{case.closed.publisher}/{case.closed.alert_id}", Accept_Language=LANGUAGES[language]
    ).text
    assert not re.search(r">[^<]*\bSb\b", closed), "an element has its name"
