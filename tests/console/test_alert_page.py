"""An alert's page: what an officer sees and does, live, once, and with what is sent shown before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gateway.client import AlertReference
from gateway.v1 import alert_pb2
from gateway.v1.alert_service_pb2 import GetAlertResponse
from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import alert, eventually
from tests.support.stopwatch import Stopwatch


def path_of(key: AlertReference, step: str = "") -> str:
    return f"/alerts/{key.publisher}/{key.alert_id}{step and '/'}{step}"


@pytest.fixture
def from_cn(trial: ConsoleTrial) -> AlertReference:
    """An alert from cn that hk has."""
    return publish(trial, alert(case_reference="CN-2026-0099"))


def publish(trial: ConsoleTrial, content: alert_pb2.AlertContent) -> AlertReference:
    async def run() -> AlertReference:
        async with trial.federation.client("cn", "publisher") as engine:
            published = await engine.publish(content, ["hk"])
        key = AlertReference(publisher="cn", alert_id=published.alert_id)
        async with trial.federation.client("hk", "officer") as officers:

            async def arrived() -> bool:
                return bool((await officers.get_alert(key)).alert.id)

            await eventually(arrived)
        return key

    return trial.run(run())


def history(trial: ConsoleTrial, node: str, key: AlertReference) -> list[alert_pb2.AlertEvent]:
    """Events of an alert as a node has them."""

    async def run() -> list[alert_pb2.AlertEvent]:
        async with trial.federation.client(node, "officer") as client:
            return [change.event for change in (await client.get_alert(key)).history]

    return trial.run(run())


def steps(page: Page) -> list[str]:
    """Tags of the steps under "Who said what"."""
    return page.locator(".event-head .tag").all_inner_texts()


def test_everything_that_an_alert_says_is_on_its_page(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = officer.open(path_of(case.from_cn))

    expect(page.get_by_role("heading", level=1)).to_contain_text("antimony")
    body = page.get_by_role("main")
    for text in ("GWDU2601174", "CN2601174", "SZ-2026-0117", "780110", "811010", "Don't let the declarant notice"):
        expect(body).to_contain_text(text)
    expect(page.get_by_role("region", name="Route").locator(".picture-frame")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("CN asks: ")
    expect(page.locator(".verdict")).to_contain_text("Nobody deals with it.")
    assert steps(page) == ["Published", "Acknowledged", "Question", "Answer"]
    expect(page.get_by_role("region", name="On a watchlist")).to_contain_text("示例物流（香港）有限公司")
    page.get_by_text("What the rule saw").first.click()
    seen = page.locator(".rule-list dl").first
    expect(seen).to_contain_text("declared density")
    expect(seen).to_contain_text("11.3 g/cm³")
    assert "_" not in seen.inner_text()
    officer.assert_accessible()


def test_who_has_an_own_alert_and_why_others_dont_is_one_click_away(desk: Desks, case: Case) -> None:
    officer = desk("cn", "officer")
    page = officer.open(path_of(case.from_cn))
    expect(page.locator(".verdict")).to_have_count(0)
    page.get_by_role("link", name="Who has it, and why others don't").click()
    rows = page.locator(".summary-row")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("HK has it: it signed for it")
    officer.assert_accessible()


def test_the_readers_language_comes_first(desk: Desks, case: Case) -> None:
    page = desk("hk", "officer", language="zh-Hant").open(path_of(case.from_cn))

    expect(page.locator(".narrative").first).to_have_attribute("lang", "zh-Hant")
    assert page.locator("html").get_attribute("lang") == "zh-Hant"


def test_what_will_be_sent_is_shown_and_then_sent_once(
    desk: Desks, trial: ConsoleTrial, from_cn: AlertReference
) -> None:
    text = "Left on the <b>06:10</b> ferry\nfrom pier 3"
    officer = desk("hk", "officer")
    page = officer.open(path_of(from_cn))
    page.get_by_role("link", name="Can't act").click()
    page.get_by_role("radio", name="Already left").check()
    page.get_by_label("Explanation").fill(text)
    page.get_by_role("button", name="Continue").click()

    envelope = page.locator(".envelope")
    expect(envelope).to_contain_text("To CN")
    expect(envelope).to_contain_text("Left on the <b>06:10</b> ferry")
    officer.assert_accessible()
    assert not any(event.HasField("flagged") for event in history(trial, "hk", from_cn))

    page.get_by_role("button", name="Change").click()
    expect(page.get_by_label("Explanation")).to_have_value(text)
    page.get_by_role("button", name="Continue").click()
    confirmed = page.locator("form.confirm")
    expect(confirmed).to_be_visible()
    fields = {
        each.get_attribute("name"): each.get_attribute("value")
        for each in confirmed.locator("input[type=hidden]").all()
    }
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status").first).to_contain_text("can't be met")
    again = page.request.post(
        page.url.partition("?")[0] + "/flag",
        form={**fields, "confirmed": "yes"},
        headers={"origin": officer.office.origin},
    )

    assert again.status == 200
    assert [event.flagged.explanation for event in history(trial, "hk", from_cn) if event.HasField("flagged")] == [text]


def test_a_step_appears_at_the_partners_open_page_within_a_second(
    desk: Desks, trial: ConsoleTrial, from_cn: AlertReference
) -> None:
    publisher = desk("cn", "officer").open(path_of(from_cn))
    expect(publisher.locator(".progress .done")).to_have_count(3)

    recipient = desk("hk", "officer").open(path_of(from_cn, "acknowledge"))
    recipient.get_by_label("Your case reference").fill("HK-7")
    recipient.get_by_role("button", name="Continue").click()
    recipient.get_by_role("button", name="Acknowledge").click()
    with Stopwatch() as watch:
        expect(publisher.locator(".event").filter(has_text="HK-7")).to_be_visible()
    assert watch.quiet_s < 1.0
    expect(publisher.locator(".progress .done")).to_have_count(4)


def test_a_question_is_answered_where_it_is_asked(desk: Desks, trial: ConsoleTrial, from_cn: AlertReference) -> None:
    asking = desk("hk", "officer").open(path_of(from_cn, "ask"))
    asking.get_by_label("Question").fill("Which seals?")
    asking.get_by_role("button", name="Continue").click()
    asking.get_by_role("button", name="Send the question").click()
    expect(asking.get_by_role("heading", name=re.compile("You asked CN"))).to_be_visible()

    officer = desk("cn", "officer")
    answering = officer.open(path_of(from_cn))
    expect(answering.get_by_role("heading", name=re.compile("HK asks you"))).to_be_visible()
    officer.assert_accessible()
    answering.get_by_role("link", name="Answer the question").click()
    answering.get_by_label("Answer", exact=True).fill("CN2601174")
    answering.get_by_role("button", name="Continue").click()
    answering.get_by_role("button", name="Send the answer").click()

    expect(asking.locator(".event").filter(has_text="CN2601174")).to_be_visible()
    expect(asking.get_by_role("heading", name=re.compile("You asked CN"))).to_have_count(0)


def test_a_finding_is_reported_with_goods_and_a_measure(
    desk: Desks, trial: ConsoleTrial, from_cn: AlertReference
) -> None:
    officer = desk("hk", "officer")
    page = officer.open(path_of(from_cn, "finding"))
    page.get_by_role("radio", name="Confirmed").check()
    page.get_by_role("checkbox", name="X-ray").check()
    page.get_by_label("UN/LOCODE").fill("HKHKG")
    page.get_by_label("Description").fill("Ingots, grey")
    page.get_by_label("Purity").fill("99,65")
    page.get_by_role("button", name="Add other goods").click()
    page.get_by_label("Description").nth(1).fill("Empty cases")
    page.get_by_text("What was done with the goods").click()
    page.get_by_label("Measure").select_option("seized")
    officer.assert_accessible()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".envelope")).to_contain_text("Purity, %: 99.65")
    page.get_by_role("button", name="Send the finding").click()
    expect(page.get_by_role("status").first).to_contain_text("finding")

    (finding,) = [event.finding for event in history(trial, "hk", from_cn) if event.HasField("finding")]
    assert [item.description for item in finding.goods_found] == ["Ingots, grey", "Empty cases"]
    assert finding.goods_found[0].purity_percent == 99.65
    assert finding.place.unlocode == "HKHKG"
    assert [measure.kind for measure in finding.measures] == [alert_pb2.MEASURE_KIND_SEIZED]

    page.get_by_role("link", name="Correct the finding").click()
    expect(page.get_by_label("Description").nth(1)).to_have_value("Empty cases")
    page.get_by_label("Why is it corrected?").fill("The laboratory has measured it")
    page.get_by_label("Purity").first.fill("99.2")
    officer.assert_accessible()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".envelope")).to_contain_text("99.2")
    page.get_by_role("button", name="Send the correction").click()
    expect(page.locator(".event").last).to_contain_text("The laboratory has measured it")
    expect(page.locator(".event").filter(has_text="corrected later")).to_have_count(1)
    corrected = history(trial, "hk", from_cn)[-1].finding_corrected.finding
    finding.goods_found[0].purity_percent = 99.2
    assert corrected == finding

    page.get_by_role("link", name="Withdraw the finding").click()
    page.get_by_label("Why doesn't it hold?").fill("Another container was opened")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Withdraw the finding").click()
    expect(page.locator(".event").last).to_contain_text("Another container was opened")
    expect(page.locator(".event").filter(has_text="withdrawn later")).to_have_count(1)
    expect(page.get_by_role("link", name="Correct the finding")).to_have_count(0)


def test_an_amendment_while_somebody_reads_is_explained(
    desk: Desks, trial: ConsoleTrial, from_cn: AlertReference
) -> None:
    officer = desk("hk", "officer")
    page = officer.open(path_of(from_cn, "acknowledge"))
    page.get_by_label("Your case reference").fill("HK-8")

    amending = desk("cn", "supervisor").open(path_of(from_cn, "amend"))
    amending.get_by_label("Priority").select_option("A")
    amending.get_by_label("Container").first.fill("CSQU3054383")
    amending.get_by_label("Seals, with commas between").first.fill("NEW-SEAL")
    amending.get_by_role("button", name="Continue").click()
    expect(amending.locator(".envelope")).to_contain_text("NEW-SEAL")
    amending.get_by_role("button", name="Send the amendment").click()
    expect(amending.get_by_role("status").first).to_contain_text("amended")
    _wait_until(trial, from_cn, lambda response: response.alert.revision == 2)

    with officer.expecting("status of 409", "409"):
        page.get_by_role("button", name="Continue").click()
        changed = page.get_by_role("alert").first
        expect(changed).to_contain_text("You read revision 1; it is at revision 2")
        expect(changed).to_contain_text("NEW-SEAL")
        officer.assert_accessible()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status").first).to_contain_text("you have read it")
    (acknowledged,) = [e.acknowledged for e in history(trial, "hk", from_cn) if e.HasField("acknowledged")]
    assert (acknowledged.revision, acknowledged.case_reference) == (2, "HK-8")


def test_what_was_written_stays_where_the_alert_ended_meanwhile(
    desk: Desks, trial: ConsoleTrial, from_cn: AlertReference
) -> None:
    officer = desk("hk", "officer")
    page = officer.open(path_of(from_cn, "flag"))
    page.get_by_role("radio", name="Already left").check()
    page.get_by_label("Explanation").fill("Left on the 06:10 ferry")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".envelope")).to_be_visible()

    async def withdraw() -> None:
        async with trial.federation.client("cn", "publisher") as engine:
            await engine.withdraw(from_cn.alert_id, revision=1, reason="Wrong container")

    trial.run(withdraw())
    withdrawn = alert_pb2.ALERT_STATUS_WITHDRAWN
    _wait_until(trial, from_cn, lambda response: response.deliveries[0].status == withdrawn)
    with officer.expecting("status of 409", "409"):
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("alert").first).to_contain_text("can't flag an alert that is withdrawn")
        expect(page.get_by_label("Explanation")).to_have_value("Left on the 06:10 ferry")


def _wait_until(trial: ConsoleTrial, key: AlertReference, check: Callable[[GetAlertResponse], bool]) -> None:
    """Returns when hk's gateway says so of an alert."""

    async def run() -> None:
        async with trial.federation.client("hk", "officer") as client:

            async def checked() -> bool:
                return check(await client.get_alert(key))

            await eventually(checked)

    trial.run(run())


@pytest.mark.parametrize(("step", "button"), [("withdraw", "Withdraw the alert"), ("close", "Close the alert")])
def test_a_publisher_ends_its_alert(
    desk: Desks, trial: ConsoleTrial, from_cn: AlertReference, step: str, button: str
) -> None:
    page = desk("cn", "supervisor").open(path_of(from_cn, step))
    if step == "withdraw":
        page.get_by_label("Why do you withdraw it?").fill("Wrong container")
    else:
        page.get_by_role("radio", name="Unfounded").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("status").first).to_be_visible()

    assert not page.locator(".alert-actions").count()


def test_the_evidence_is_one_click_away_and_verifies_as_it_was_downloaded(
    desk: Desks, trial: ConsoleTrial, case: Case, tmp_path: Path
) -> None:
    page = desk("hk", "officer").open(path_of(case.from_cn))
    with page.expect_download() as download:
        page.get_by_role("link", name="Evidence bundle").click()
    kept = tmp_path / download.value.suggested_filename
    download.value.save_as(kept)

    assert case.from_cn.alert_id in trial.verified(kept)


def test_a_person_sees_the_steps_of_its_roles_alone(desk: Desks, from_cn: AlertReference) -> None:
    page = desk("hk", "analyst").open(path_of(from_cn))

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert not page.get_by_role("link", name="Acknowledge").count()


def test_a_role_that_may_not_is_told_so_and_nothing_is_sent(
    desk: Desks, trial: ConsoleTrial, from_cn: AlertReference
) -> None:
    analyst = desk("hk", "analyst")
    with analyst.expecting("status of 403", "403"):
        page = analyst.open(path_of(from_cn, "acknowledge"))
        expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")
        expect(page.get_by_role("main")).to_contain_text("Your roles don't open this page.")
        analyst.assert_accessible()

    assert not any(event.HasField("acknowledged") for event in history(trial, "hk", from_cn))


def test_steps_work_without_scripts_on_a_telephone(desk: Desks, trial: ConsoleTrial, from_cn: AlertReference) -> None:
    page = desk("hk", "officer", javascript=False, width=360).open(path_of(from_cn))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("link", name="Acknowledge").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status").first).to_contain_text("you have read it")


def test_an_alert_that_expired_by_the_clock_is_marked(desk: Desks, trial: ConsoleTrial) -> None:
    content = alert(case_reference="CN-SHORT")
    content.valid_until.FromDatetime(datetime.now(UTC) + timedelta(seconds=4))
    key = publish(trial, content)
    with _cut(trial):
        _wait_until(trial, key, lambda response: response.deliveries[0].deadlines.expired_by_clock)
        page = desk("hk", "officer").open(path_of(key))
        expect(page.get_by_text("Past its validity by our clock")).to_be_visible()


@contextmanager
def _cut(trial: ConsoleTrial) -> Iterator[None]:
    proxy = trial.federation.between("cn", "hk")
    proxy.cut()
    try:
        yield
    finally:
        proxy.heal()


def test_a_page_whose_session_has_ended_says_so_and_leads_back(
    desk: Desks, trial: ConsoleTrial, from_cn: AlertReference
) -> None:
    office = trial["hk"]
    name = trial.run(office.newcomer("officer"))
    window = desk("hk", name)
    page = window.open(path_of(from_cn))
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    async def end() -> None:
        async with office.client("console") as console:
            await console.persons.sign_out(await office.signed_in(name))

    trial.run(end())

    notice = page.get_by_role("alert").filter(has_text="Your session has ended")
    expect(notice).to_be_visible(timeout=60_000)
    notice.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/sign-in\?next=%2Falerts%2Fcn%2F"))
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(office.passwords[name])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("False declaration")
