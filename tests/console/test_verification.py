"""A bundle of evidence is verified in the browser: what it proves to whom, or which step fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial


@pytest.fixture(scope="module")
def auditor(trial: ConsoleTrial) -> str:
    """An auditor whom no other test signs in or out."""
    return trial.run(trial["hk"].newcomer("auditor"))


def exported(desk: Desks, case: Case, folder: Path) -> Path:
    page = desk("hk", "officer").open(f"/alerts/{case.from_cn.publisher}/{case.from_cn.alert_id}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Evidence bundle").click()
    kept = folder / download.value.suggested_filename
    download.value.save_as(kept)
    return kept


def verify(page: Page, file: Path) -> None:
    page.get_by_label("Evidence bundle").set_input_files(file)
    page.get_by_role("button", name="Verify").click()


def test_an_auditor_verifies_a_bundle_step_by_step(desk: Desks, case: Case, auditor: str, tmp_path: Path) -> None:
    bundle = exported(desk, case, tmp_path)
    window = desk("hk", auditor)
    window.open("/operations/audit").get_by_role("link", name="Verify evidence").click()
    page = window.page
    window.assert_accessible()
    verify(page, bundle)
    expect(page.get_by_text("Verified", exact=True)).to_be_visible()
    expect(page.locator(".event")).to_have_count(11)
    expect(page.locator(".event").filter(has_text="The recipient's receipt")).to_contain_text("It holds")
    expect(page.get_by_role("listitem").filter(has_text="CN said it to HK").first).to_contain_text(
        "HK signed the receipt"
    )
    window.assert_accessible()


def test_a_damaged_bundle_says_which_step_fails(desk: Desks, case: Case, auditor: str, tmp_path: Path) -> None:
    content = exported(desk, case, tmp_path).read_bytes()
    damaged, no_bundle, empty, large = (tmp_path / f"{name}.zip" for name in ("damaged", "note", "empty", "large"))
    at = content.index(b"payload_digest") if b"payload_digest" in content else len(content) // 3
    damaged.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    no_bundle.write_bytes(b"not a .zip file")
    empty.write_bytes(b"")
    large.write_bytes(bytes(5_000_001))
    window = desk("hk", auditor, javascript=False)
    page = window.open("/evidence/verify")
    for file in (damaged, no_bundle):
        verify(page, file)
        expect(page.get_by_role("alert")).to_contain_text("Step 1 fails: The bundle is whole")
        expect(page.locator(".event")).to_have_count(1)
        expect(page.locator(".event")).to_contain_text("It fails")
    with window.expecting("status of 422", "422"):
        verify(page, empty)
        expect(page.get_by_role("alert")).to_contain_text("The file is empty.")
        verify(page, large)
        expect(page.get_by_role("alert")).to_contain_text("larger than 5 MB")
        page.get_by_role("button", name="Verify").click()
        expect(page.get_by_role("alert")).to_contain_text("Choose a file.")


def test_who_may_not_verify_is_told_so(desk: Desks, case: Case) -> None:
    analyst = desk("hk", "analyst")
    with analyst.expecting("status of 403", "403"):
        page = analyst.open("/evidence/verify")
        expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")
