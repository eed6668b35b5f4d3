"""A new alert, as an officer writes it: with codes checked as they type, a page that says who gets what, sent once."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from demo.case import CONTAINER
from tests.support.console.behind_forms import GROUNDS
from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import alert, eventually


def fill(page: Page, *, case: str) -> None:
    page.locator("#recipients input[value=hk]").check()
    page.locator("#purpose").select_option("export_control")
    page.locator("#legal_basis").fill("Arrangement 2024, article 7")
    page.locator("#case_reference").fill(case)
    page.locator("#priority").select_option("A")
    page.get_by_label("False declaration").check()
    page.locator("#requested_action").select_option("inspect")
    page.locator("#equipment-0-id").fill("CSQU3054383")
    page.locator("#goods-0-description").fill("Lead ingots")
    page.locator("#goods-0-substance").fill("antimony")
    page.locator("#parties-0-name").fill("广西华锑有限公司")
    page.locator("#route-0-from").fill("CNSZX")
    page.locator("#route-0-to").fill("HKHKG")
    page.locator("#narrative-en").fill("Antimony declared as lead.")
    page.locator("#classification").select_option("restricted")


def test_an_alert_is_written_checked_and_sent(desk: Desks, trial: ConsoleTrial) -> None:
    officer = desk("cn", "officer")
    page = officer.open("/alerts/new")
    officer.assert_accessible()
    fill(page, case="NEW-ALERT-1")
    page.locator("#equipment-0-id").fill("CSQU3054380")
    page.locator("#equipment-0-id").press("Tab")
    expect(page.locator("#equipment-0-id-remark")).to_contain_text("by ISO 6346 is 3, not 0")
    page.locator("#equipment-0-id").fill("CSQU3054383")
    page.locator("#equipment-0-id").press("Tab")
    expect(page.locator("#equipment-0-id-remark")).to_contain_text("are right")
    page.get_by_role("button", name="Check before sending").last.click()
    expect(page.get_by_role("heading", name="Check before sending")).to_be_visible()
    envelope = page.get_by_role("region", name="HK gets it")
    for text in ("广西华锑有限公司", "CSQU3054383", "NEW-ALERT-1", "(personal)", "Antimony declared as lead.", "CNSZX"):
        expect(envelope).to_contain_text(text)
    officer.assert_accessible()
    page.get_by_role("button", name="Send the alert").click()
    page.wait_for_url("**/alerts/cn/*")
    alert_id = page.url.rpartition("/")[2].partition("?")[0]
    arrives(trial, alert_id)


def arrives(trial: ConsoleTrial, alert_id: str) -> None:
    from gateway.client import AlertReference

    async def there() -> None:
        async with trial.federation.client("hk", "officer") as client:
            reference = AlertReference(publisher="cn", alert_id=alert_id)
            found = await eventually(lambda: client.get_alert(reference), what="the alert at hk")
            content = found.alert.content
            assert content.subject.equipment[0].id == "CSQU3054383"
            assert content.goods[0].element == "Sb" or content.goods[0].substance == "antimony"
            assert content.subject.parties[0].names[0].text == "广西华锑有限公司"
            assert getattr(content.route[0], "from").unlocode == "CNSZX"

    trial.run(there())


def test_control_codes_are_suggested_before_an_alert_is_sent_and_on_a_page(desk: Desks) -> None:
    officer = desk("cn", "officer")
    page = officer.open("/alerts/new")
    fill(page, case="NEW-ALERT-CONTROLS")
    page.locator("#goods-0-description").fill("Dysprosium oxide powder")
    page.locator("#goods-0-substance").fill("")
    page.get_by_role("button", name="Check before sending").last.click()
    suggested = page.locator("section", has=page.get_by_role("heading", name="Control codes that may apply"))
    expect(suggested.locator("li").first).to_contain_text("1C905.b")
    expect(suggested.locator("li").first).to_contain_text("“dysprosium”: dysprosium")
    officer.assert_accessible()

    page = officer.open("/law")
    page.get_by_label("Description").fill("Bismuth ingots")
    page.get_by_role("button", name="Suggest control codes").click()
    expect(page.locator("section li").first).to_contain_text("6C001.a")
    expect(page.get_by_text("purity: >= 99.99 %")).to_be_visible()
    officer.assert_accessible()
    page.get_by_label("From").fill("2026-11-01")
    page.get_by_label("Until").fill("2026-11-30")
    page.get_by_role("button", name="Show changes").click()
    changes = page.get_by_role("region", name="Controls that begin, are suspended, hold again or end")
    expect(changes).to_contain_text("2026-11-11 MOFCOM/GACC No.57 of 2025")
    expect(changes).to_contain_text("it holds again, an extension is not known to this data")
    officer.assert_accessible()
    page.get_by_label("Purity").fill("much")
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Suggest control codes").click()
        expect(page.get_by_role("alert")).to_contain_text("Enter a number")


def test_what_is_missing_is_said_at_its_field(desk: Desks) -> None:
    officer = desk("cn", "officer", javascript=False)
    page = officer.open("/alerts/new")
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Check before sending").last.click()
        expect(page.get_by_role("alert")).to_contain_text("There is a problem")
    links = page.get_by_role("alert").get_by_role("link")
    assert links.count() >= 5
    links.first.click()
    for target in [links.nth(at).get_attribute("href") for at in range(links.count())]:
        assert page.locator(target or "?").count() == 1, target


def test_without_script_rows_are_added_by_a_button(desk: Desks) -> None:
    officer = desk("cn", "officer", javascript=False)
    page = officer.open("/alerts/new")
    page.locator("#equipment-0-id").fill("CSQU3054383")
    page.get_by_role("button", name="Another container").click()
    expect(page.locator("#equipment-0-id")).to_have_value("CSQU3054383")
    expect(page.locator("#equipment-1-id")).to_be_visible()
    expect(page.locator("#equipment-0-id-remark")).to_contain_text("are right")


def test_the_draft_of_a_trace_becomes_an_alert(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = officer.open("/history")
    for name, value in (GROUNDS | {"containers": CONTAINER}).items():
        page.locator(f"#{name}").fill(value)
    page.get_by_role("button", name="Trace one consignment").click()
    page.get_by_role("button", name="Go on with this draft").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New alert")
    expect(page.get_by_text("A draft: look at these before you send it")).to_be_visible()
    expect(page.locator("#equipment-0-id")).to_have_value(CONTAINER)
    assert page.locator("#recipients input:checked").count() >= 1
    officer.assert_accessible()


def test_a_copy_of_a_partners_alert_says_what_it_follows_from(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = officer.open(f"/alerts/new?copy=cn/{case.from_cn.alert_id}")
    expect(page.locator("#equipment-0-id")).to_have_value(CONTAINER)
    page.locator("#recipients input[value=mo]").check()
    page.get_by_role("button", name="Check before sending").last.click()
    envelope = page.get_by_role("region", name="MO")
    expect(envelope).to_contain_text("Follows from the alert 1")
    expect(envelope).to_contain_text("Number of the alert: published")


def test_an_own_alert_is_amended_in_the_whole_form(desk: Desks, trial: ConsoleTrial) -> None:
    alert_id = trial.run(published(trial))
    page = desk("cn", "supervisor").open(f"/alerts/cn/{alert_id}/amend")
    page.get_by_role("link", name="Change other fields in the whole form").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Amend an alert")
    expect(page.locator("#recipients input")).to_have_count(1)
    page.locator("#legal_basis").fill("Arrangement 2024, article 8")
    page.get_by_role("button", name="Check before sending").last.click()
    expect(page.get_by_role("region", name="HK gets it")).to_contain_text("Arrangement 2024, article 8")
    page.get_by_role("button", name="Send the amendment").click()
    expect(page.get_by_role("status").first).to_contain_text("amended")
    expect(page.get_by_text("Revision 2").first).to_be_visible()


async def published(trial: ConsoleTrial) -> str:
    async with trial.federation.client("cn", "publisher") as engine:
        return str((await engine.publish(alert(case_reference="CN-AMEND"), ["hk"])).alert_id)


def test_what_is_missing_stands_beside_the_form_and_shrinks(desk: Desks, trial: ConsoleTrial) -> None:
    officer = desk("cn", "officer", width=1440)
    page = officer.open("/alerts/new")
    missing = page.get_by_role("complementary", name="Still missing")
    before = missing.get_by_role("link").count()
    assert before >= 9
    missing.get_by_role("link", name="Your case").click()
    expect(page.get_by_label("Your case")).to_be_focused()
    page.keyboard.type("NEW-ALERT-7")
    expect(missing.get_by_role("link", name="Your case")).to_have_count(0)
    page.locator("#narrative-pt").fill("Antimónio declarado como chumbo.")
    expect(missing.get_by_role("link")).to_have_count(before - 2)
    page.mouse.wheel(0, 2_000)
    expect(missing).to_be_in_viewport()
    officer.assert_accessible()
    fill(page, case="NEW-ALERT-7")
    page.get_by_label("Valid until").fill("2030-01-01T10:00")
    page.locator("#onward_transfer").select_option(index=1)
    expect(missing).to_contain_text("Nothing is missing.")


def test_what_is_missing_is_told_without_scripts_too(desk: Desks, trial: ConsoleTrial) -> None:
    window = desk("cn", "officer", javascript=False, width=390)
    page = window.open("/alerts/new")
    missing = page.get_by_role("complementary", name="Still missing")
    expect(missing.get_by_role("link", name="Your case")).to_be_visible()
    page.locator("#case_reference").fill("NEW-ALERT-8")
    with window.expecting("status of 422"):
        page.get_by_role("button", name="Check before sending").last.click()
        expect(missing.get_by_role("link", name="Your case")).to_have_count(0)
    expect(missing.get_by_role("link", name="Priority")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
