"""What is printed: every sheet says whose it is, which case, how it is classified, who printed it and when."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.console.test_worklist_layout import case_of_many
from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial


def assert_on_every_sheet(page: Page, said: str) -> None:
    """The line that stands on every sheet: a header group that isn't broken is printed again on each."""
    head = page.locator(".print-head")
    expect(head).to_be_hidden()
    page.emulate_media(media="print")
    expect(head).to_contain_text(said)
    expect(head).to_have_css("display", "table-header-group")
    expect(head).to_have_css("break-inside", "avoid")
    expect(page.locator("main")).to_have_css("display", "table")
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) > 1, "more than one sheet"


def test_every_sheet_of_an_alert_says_case_and_classification(desk: Desks, case: Case) -> None:
    page = desk("hk", "officer").open(f"/alerts/cn/{case.from_cn.alert_id}")
    assert_on_every_sheet(page, "case SZ-2026-0117 · Restricted")
    expect(page.locator(".print-head")).to_contain_text("Chan Tai Man 陳大文")


def test_every_sheet_of_the_inbox_and_of_the_audit_log_says_what_it_is(
    desk: Desks, trial: ConsoleTrial, case: Case
) -> None:
    case_of_many(trial, 30)
    page = desk("hk", "officer").open("/inbox?scope=all")
    assert_on_every_sheet(page, "HK · Inbox")
    expect(page.get_by_role("button")).to_have_count(0)
    page = desk("hk", "auditor").open("/operations/audit")
    assert_on_every_sheet(page, "HK · Audit log")
