"""Figures as a supervisor reads them: charts with a table under each, CSV, a period, and a publication sheet."""

from __future__ import annotations

import csv
import io

from playwright.sync_api import Page, expect

from tests.support.console.case import Case
from tests.support.console.desk import Desk, Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import eventually


def counted(trial: ConsoleTrial) -> None:
    """Waits until hk has counted the case."""

    async def is_counted() -> bool:
        async with trial.federation.client("hk", "analyst") as client:
            figures = await client.figures.get()
            return bool(figures.measures) and not figures.uncounted

    trial.run(eventually(is_counted, what="the case in hk's figures"))


def opened(analyst: Desk, path: str = "/figures") -> Page:
    page = analyst.open(path)
    expect(page.get_by_role("heading", level=1, name="Figures")).to_be_visible()
    return page


def test_each_figure_has_a_chart_and_a_table(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    counted(trial)
    analyst = desk("hk", "analyst")
    page = opened(analyst)
    months = page.locator("#months")
    expect(months.locator("svg.chart:visible")).to_have_count(1)
    expect(months.get_by_role("table")).to_be_visible()
    measures = page.locator("#measures")
    expect(measures.get_by_role("row", name="Seized antimony")).to_contain_text("12,500")
    expect(page.locator("#typologies")).to_contain_text("False declaration")
    expect(page.locator("#close")).to_contain_text("Half within")
    analyst.assert_accessible()


def test_a_table_comes_as_csv(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    counted(trial)
    page = opened(desk("hk", "supervisor"))
    with page.expect_download() as downloading:
        page.get_by_role("link", name="CSV: Measures taken").click()
    assert downloading.value.suggested_filename.startswith("measures-")
    text = downloading.value.path().read_bytes().decode("utf-8-sig")
    heads, *rows = csv.reader(io.StringIO(text))
    assert heads[0] == "Measure"
    assert ["Seized", "antimony", "1", "12500.0", "0"] in rows


def test_a_period_and_small_numbers(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    counted(trial)
    analyst = desk("hk", "analyst")
    page = opened(analyst)
    page.get_by_label("First day").fill("2020-01-01")
    page.get_by_label("Last day").fill("2020-03-31")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#months").get_by_role("row")).to_have_count(4)
    page = opened(analyst, "/figures?least_count=100")
    expect(page.locator("#typologies")).to_contain_text("withheld or unknown")
    with analyst.expecting("status of 422"):
        page = opened(analyst, "/figures?first_day=2020-02-30")
        expect(page.get_by_role("alert")).to_contain_text("must be a date")


def test_who_may_not_see_figures_has_no_such_entry(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = officer.open("/history")
    expect(page.get_by_role("link", name="Figures")).to_have_count(0)
    with officer.expecting("status of 403"):
        officer.open("/figures")
        expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")


def test_a_supervisor_decides_what_else_is_on_the_sheet(desk: Desks, case: Case) -> None:
    supervisor = desk("hk", "supervisor")
    page = supervisor.open("/figures")
    page.locator("#sheets").get_by_role("link").first.click()
    sheet = page.locator("article.sheet")
    expect(sheet).to_contain_text("Closed on")
    expect(sheet).not_to_contain_text("12,500")
    supervisor.assert_accessible()
    page.get_by_label("Measures that recipients took, with masses").check()
    with supervisor.expecting("status of 422"):
        page.get_by_role("button", name="Show the sheet so").click()
        expect(page.get_by_role("alert").first).to_contain_text("Say why")
    page.get_by_label("Why").fill("The court has judged")
    page.get_by_role("button", name="Show the sheet so").click()
    expect(sheet).to_contain_text("12,500")
    supervisor.assert_accessible()


def test_the_sheet_prints_alone(desk: Desks, case: Case) -> None:
    page = desk("hk", "auditor").open(f"/figures/sheets/{case.closed.alert_id}")
    page.emulate_media(media="print")
    expect(page.locator("article.sheet")).to_be_visible()
    expect(page.get_by_text("What was left out")).to_be_hidden()
    expect(page.get_by_role("button")).to_have_count(0)


def test_an_open_alert_has_no_sheet(desk: Desks, case: Case) -> None:
    supervisor = desk("hk", "supervisor")
    with supervisor.expecting("status of 409"):
        page = supervisor.open(f"/figures/sheets/{case.from_hk.alert_id}")
        expect(page.get_by_role("heading", level=1)).to_have_text("This isn't possible now")
