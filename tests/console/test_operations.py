"""Pages of operators and auditors, as each of them works with them."""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect

from gateway.client import AlertReference
from gateway.errors import GatewayError
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import alert, eventually

PAGES = ("/operations", "/operations/keys", "/operations/directory", "/operations/maintenance")


def test_an_operator_sees_links_certificates_and_who_signed_the_directory(desk: Desks, trial: ConsoleTrial) -> None:
    operator = desk("mo", "operator")
    page = operator.open("/operations")
    expect(page.get_by_role("heading", level=1)).to_have_text("Operations")
    cn = page.get_by_role("region", name="CN", exact=True)
    expect(cn).to_have_count(1)
    expect(cn.get_by_text("Connected").first).to_be_visible()
    expect(cn.get_by_text("Oldest entry that waits")).to_be_visible()
    expect(cn.get_by_role("row")).to_have_count(0)
    cn.get_by_text(re.compile("[0-9]+ feeds")).click()
    expect(cn.get_by_role("row").filter(has_text="Alerts").first).to_contain_text("Connected")
    operator.assert_accessible()
    page.get_by_role("link", name="Certificates and keys").click()
    expect(page.get_by_role("row").filter(has_text="Signs receipts").first).to_contain_text("days")
    expect(page.get_by_role("row").filter(has_text="System of this authority").first).to_contain_text("MO")
    expect(page.get_by_role("cell", name="receipts", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Directory").click()
    expect(page.get_by_text("Signed by")).to_be_visible()
    expect(page.locator("dd").filter(has_text=re.compile("/cn/directory")).first).to_be_visible()


def test_a_link_is_suspended_with_a_reason_and_resumed(desk: Desks, trial: ConsoleTrial) -> None:
    operator = desk("mo", "operator")
    page = operator.open("/operations")
    hk = page.get_by_role("region", name="HK", exact=True)
    hk.get_by_text(re.compile("[0-9]+ feeds")).click()
    hk.get_by_role("link", name="Lists").first.click()
    page.get_by_role("link", name="Suspend the link").click()
    expect(page.get_by_text("Nothing is exchanged over it")).to_be_visible()
    with operator.expecting("status of 422"):
        page.get_by_role("button", name="Suspend the link").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why")
    page.get_by_label("Reason").fill("The line is being moved")
    page.get_by_role("button", name="Suspend the link").click()
    expect(page.get_by_text("The link is suspended.")).to_be_visible()
    expect(page.get_by_text("The line is being moved")).to_be_visible()
    link = page.url.replace(operator.office.origin, "").partition("&done")[0]
    operator.open("/operations")
    alarm = page.locator(".notice").filter(has_text="A link is suspended here").filter(has_text="is being moved")
    wait_until(lambda: alarm.count() > 0, page)
    expect(alarm.get_by_text("LINK_SUSPENDED", exact=True)).to_be_visible()
    expect(alarm).to_contain_text("Resume the link once the reason is gone")
    expect(page.get_by_role("region", name="HK", exact=True)).to_contain_text("Suspended")
    operator.assert_accessible()
    operator.open(link)
    page.get_by_role("link", name="Resume the link").click()
    page.get_by_role("button", name="Resume the link").click()
    expect(page.get_by_text("The link was resumed.")).to_be_visible()
    operator.open("/operations")
    wait_until(lambda: alarm.count() == 0, page)
    auditor = desk("mo", "auditor").open("/operations/audit?person=operator&method=SuspendLink")
    row = auditor.get_by_role("row", name="suspended the link")
    expect(row).to_contain_text("Pedro Lei suspended the link to HK (Lists)")
    expect(row).to_contain_text("The line is being moved")
    today = auditor.evaluate("new Date().toISOString().slice(0, 10)")
    for field, found in (("From", True), ("Until", False)):
        auditor.get_by_label(field).fill(today if found else "2026-01-14")
        auditor.get_by_role("button", name="Search").click()
        expect(row).to_have_count(int(found))


def test_a_partner_is_tested_by_a_button_and_the_results_are_in_words(desk: Desks, trial: ConsoleTrial) -> None:
    operator = desk("mo", "operator")
    page = operator.open("/operations")
    page.get_by_role("button", name="Test the connection to CN").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connection test: CN")
    rows = page.get_by_role("row")
    for check in ("Serves this node", "Old TLS", "No certificate", "Wrong CA", "Wrong role", "Wrong signer"):
        expect(rows.filter(has_text=check)).to_contain_text("in order")
    expect(page.get_by_text("not in order")).to_have_count(0)
    operator.assert_accessible()
    supervisor = desk("mo", "supervisor").open("/operations")
    expect(supervisor.get_by_role("button", name="Test the connection")).to_have_count(0)


def test_an_auditor_exports_what_the_filters_leave_and_it_verifies_offline(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    async def act() -> None:
        async with trial["mo"].acting("operator") as operator:
            await operator.node.end_maintenance()

    async def logged() -> bool:
        async with trial.federation.client("mo", "auditor") as auditor:
            page = await auditor.evidence.audit_events_page(
                filter='person = operator AND method = "/gateway.v1.NodeService/EndMaintenance"'
            )
            return bool(page.events)

    async def make() -> None:
        with suppress(GatewayError):
            await act()
        await eventually(logged, what="the event in the audit log")

    trial.run(make())
    window = desk("mo", "auditor")
    page = window.open("/operations/audit?person=operator&method=EndMaintenance")
    expect(page.get_by_role("row").nth(1)).to_contain_text("ended announced maintenance")
    window.assert_accessible()
    for button, ending in (("as a table (CSV)", "csv"), ("as JSON lines", "jsonl")):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Export signed, {button}").click()
        file = tmp_path / f"{ending}.zip"
        download.value.save_as(file)
        told = trial.verified(file)
        assert "mo has signed at " in told
        assert "EndMaintenance" in told
        assert f"events-001.{ending}" in zipfile.ZipFile(file).namelist()


def test_a_feed_that_a_restore_left_behind_is_recovered(desk: Desks, trial: ConsoleTrial, tmp_path: Path) -> None:
    """mo's database goes back to a copy that lacks two alerts, which cn has: publishing stops until they are back."""
    mo, lines = trial.federation["mo"], [("mo", "cn"), ("cn", "mo")]
    trial.session("mo", "operator")
    kept = trial.run(published(trial, "RECOVER-0"))
    with closing(sqlite3.connect(mo.database)) as database, closing(sqlite3.connect(tmp_path / "copy")) as copy:
        database.backup(copy)
    lost = [trial.run(published(trial, f"RECOVER-{number}")) for number in (1, 2)]
    mo.stop()
    for file in mo.data.glob("gateway.sqlite3*"):
        file.unlink()
    shutil.copy2(tmp_path / "copy", mo.database)
    mo.start()
    trial.run(trial["mo"].sign_in_again())

    operator = desk("mo", "operator")
    page = operator.open("/operations")
    cn = page.get_by_role("region", name="CN", exact=True)
    behind = cn.locator("tr").filter(has_text="Alerts").filter(has_text="To be recovered")
    wait_until(lambda: behind.count() > 0, page)
    expect(page.get_by_text("Our feed lacks entries").first).to_be_visible()
    expect(page.get_by_text("FEED_BEHIND", exact=True).first).to_be_visible()
    expect(page.get_by_role("heading", name="Restores of the database")).to_be_visible()
    operator.assert_accessible()
    cn.get_by_text(re.compile("[0-9]+ feeds")).click()
    behind.get_by_role("link").click()
    page.get_by_role("link", name="Recover the feed").click()
    expect(page.get_by_text("Own entries that this database lacks are fetched back")).to_be_visible()
    page.get_by_role("button", name="Recover the feed").click()
    expect(page.get_by_text("The feed was recovered.")).to_be_visible()
    expect(page.get_by_text(re.compile("[0-9]+ entries were fetched back"))).to_be_visible()
    operator.assert_accessible()

    trial.run(trial.federation.converged(*lines))
    trial.run(recovered_locally(trial))  # else each further start of mo ends all sessions
    connected = page.locator(".summary-row").filter(has_text="Connected")
    wait_until(lambda: connected.count() > 0, page)
    expect(page.get_by_role("link", name="Recover the feed")).to_have_count(0)
    officer = desk("mo", "officer")
    for alert_id in (kept, *lost):
        expect(officer.open(f"/alerts/mo/{alert_id}").get_by_role("heading", level=1)).to_be_visible()
    auditor = desk("mo", "auditor").open("/operations/audit?person=operator&method=RecoverFeed")
    expect(auditor.get_by_role("row").nth(1)).to_contain_text("recovered the feed to CN (Alerts)")


async def recovered_locally(trial: ConsoleTrial) -> None:
    """Has mo's audit log go on without what the restore has lost: nobody could return it."""
    async with trial.federation.client("mo", "operator") as operator:
        recovered = await operator.node.recover_feed(f"{FEDERATION}/mo/mo/audit")
        assert recovered.lost


async def published(trial: ConsoleTrial, case_reference: str) -> str:
    """An alert of mo that cn has."""
    async with trial.federation.client("mo", "publisher") as risk:
        alert_id = (await risk.publish(alert(case_reference=case_reference), ["cn"])).alert_id
    async with trial.federation.client("cn", "officer") as at_cn:

        async def there() -> bool:
            return bool((await at_cn.get_alert(AlertReference(publisher="mo", alert_id=alert_id))).alert.id)

        await eventually(there, what="mo's alert at cn")
    return alert_id


def wait_until(condition: Callable[[], bool], page: Page) -> None:
    """Loads a page again until it shows what it has to."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, page.get_by_role("main").inner_text()
        page.reload()


def test_maintenance_is_announced_after_it_was_shown_and_ended(desk: Desks, trial: ConsoleTrial) -> None:
    operator = desk("mo", "operator")
    page = operator.open("/operations/maintenance")
    begin = datetime.now(UTC) + timedelta(hours=1)
    page.get_by_label("From").fill(f"{begin:%Y-%m-%dT%H:%M}")
    page.get_by_label("Until").fill(f"{begin + timedelta(hours=2):%Y-%m-%dT%H:%M}")
    page.get_by_label("Reason").fill("New disks")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("All partners are told this")).to_be_visible()
    page.get_by_role("button", name="Announce").click()
    expect(page.get_by_text("New disks")).to_be_visible()
    page.get_by_role("button", name="It has ended").click()
    expect(page.get_by_text("New disks")).to_have_count(0)


def test_an_auditor_searches_the_log_and_an_officer_may_not(desk: Desks, trial: ConsoleTrial) -> None:
    auditor = desk("mo", "auditor")
    page = auditor.open("/operations/audit")
    page.get_by_label("Result").select_option("denied")
    page.get_by_label("What was done").select_option("opened notifications")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("method=ListNotifications.*result=deny"))
    expect(page.get_by_label("What was done")).to_have_value("ListNotifications")
    auditor.assert_accessible()
    officer = desk("mo", "officer")
    with officer.expecting("status of 403"):
        refused = officer.open("/operations/audit")
        expect(refused.get_by_role("heading", level=1)).to_be_visible()
    expect(refused.get_by_role("link", name="Operations")).to_have_count(0)


def test_the_audit_log_says_acts_in_sentences_and_folds_page_loads_away(desk: Desks, trial: ConsoleTrial) -> None:
    async def act() -> None:
        async with trial.federation.client("cn", "publisher") as risk:
            reference = await risk.publish(alert(case_reference="SZ-2026-1050"), ["mo"])
        async with trial["mo"].acting("officer") as officer:

            async def there() -> bool:
                page = await officer.list_alerts_page(filter=f'alert_id = "{reference.alert_id}"')
                return bool(page.alerts)

            await eventually(there, what="cn's alert at mo")
            taken = AlertReference(publisher="cn", alert_id=reference.alert_id)
            await officer.get_alert(taken)
            await officer.acknowledge(taken, revision=1)

    trial.run(act())
    window = desk("mo", "auditor")
    page = window.open("/operations/audit?person=officer")
    acknowledged = page.get_by_role("row", name="acknowledged alert SZ-2026-1050")
    wait_until(lambda: acknowledged.count() > 0, page)
    expect(acknowledged.first).to_contain_text("Chan Tai Man 陳大文")
    opened = page.get_by_role("row", name="opened alert SZ-2026-1050")
    expect(opened).to_have_count(0)
    expect(page.get_by_text(re.compile("[0-9]+ page loads?")).first).to_be_visible()
    acknowledged.first.get_by_text(re.compile("^Event [0-9]")).click()
    expect(acknowledged.first).to_contain_text("/gateway.v1.AlertService/AcknowledgeAlert")
    expect(acknowledged.first).to_contain_text("person/mo/officer")
    window.assert_accessible()
    page.get_by_role("link", name="With page loads").click()
    wait_until(lambda: opened.count() > 0, page)
    page.get_by_role("link", name="Without page loads").click()
    expect(opened).to_have_count(0)
    page.get_by_label("What was done").select_option("acknowledged alert …")
    page.get_by_role("button", name="Search").click()
    expect(acknowledged.first).to_be_visible()
    expect(page.get_by_text("page load")).to_have_count(0)


def test_what_expires_is_in_order_with_what_to_do_and_goes_into_a_calendar(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    window = desk("mo", "auditor")
    page = window.open("/operations")
    page.get_by_role("link", name="What expires").click()
    rows = page.get_by_role("row")
    for what in (
        "Gateway, to partners",
        "System of this authority",
        "CA, which",
        "Signing key",
        "Directory",
        "Agreement",
    ):
        expect(rows.filter(has_text=what).first).to_contain_text("days")
    expect(rows.filter(has_text="gateway pki request --kind gateway")).to_have_count(1)
    ends = page.locator("tbody time").evaluate_all("all => all.map(each => each.dateTime)")
    assert ends == sorted(ends)
    window.assert_accessible()
    with page.expect_download() as download:
        page.get_by_role("link", name="As a calendar file").click()
    download.value.save_as(tmp_path / "ends.ics")
    content = (tmp_path / "ends.ics").read_bytes()
    assert content.startswith(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert content.count(b"BEGIN:VEVENT") == len(ends)
    assert (
        page.request.get(f"{window.office.origin}/operations/expires/calendar")
        .headers["content-type"]
        .startswith("text/calendar")
    )
    supervisor = desk("mo", "supervisor").open("/operations/expires")
    expect(supervisor.get_by_text("Certificates and keys are shown to operators and auditors.")).to_be_visible()
    expect(supervisor.get_by_role("row").filter(has_text="Signing key")).to_have_count(0)


def test_break_glass_names_its_roles_in_words_wherever_it_is_shown(desk: Desks, trial: ConsoleTrial) -> None:
    name = trial.run(trial["mo"].newcomer("supervisor"))

    async def take() -> None:
        async with trial["mo"].acting(name) as supervisor:
            await supervisor.persons.break_glass(["officer"], "night duty", minutes=15)

    trial.run(take())
    window = desk("mo", name)
    page = window.open("/account")
    banner = page.get_by_role("region", name="Break-glass")
    expect(banner).to_contain_text("as Officer, until")
    expect(page.get_by_text(re.compile("Of these, Officer until"))).to_be_visible()
    expect(desk("mo", "auditor").open(f"/people/{name}").get_by_text("Has taken Officer until")).to_be_visible()
    banner.get_by_role("button", name="End it").click()
    expect(page.get_by_role("region", name="Break-glass")).to_have_count(0)


def test_a_version_of_the_directory_is_taken_once_enough_have_signed_it(desk: Desks, trial: ConsoleTrial) -> None:
    federation = trial.federation
    before = federation.directory
    version = replace(before, version=before.version + 1, expires_at=before.expires_at + timedelta(days=1))
    operator = desk("mo", "operator")

    def upload(note: bytes) -> Page:
        page = operator.open("/operations/directory")
        page.get_by_label("File").set_input_files(
            {"name": "directory.note", "mimeType": "application/octet-stream", "buffer": note}
        )
        page.get_by_role("button", name="Show what would change").click()
        return page

    with operator.expecting("status of 422"):
        page = upload(b"no directory")
        expect(page.get_by_role("alert")).to_contain_text("It is no directory")
    page = upload(federation.signed_directory(version, signers=("cn",)))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Version {version.version} of the directory")
    expect(page.get_by_text("It lacks signatures and isn't taken.")).to_be_visible()
    expect(page.locator(".summary-row").filter(has_text="Signed by")).to_contain_text("CN")
    expect(page.locator(".summary-row").filter(has_text="Missing")).to_contain_text("HK, MO")
    expect(page.get_by_text("expires_at", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Put it in force")).to_have_count(0)
    operator.assert_accessible()

    page = upload(federation.signed_directory(version))
    expect(page.get_by_text("It has the signatures that it needs.")).to_be_visible()
    expect(page.locator(".summary-row").filter(has_text="Missing")).to_contain_text("nobody")
    operator.assert_accessible()
    page.get_by_role("button", name="Put it in force").click()
    expect(page.get_by_text(f"Version {version.version} is put in place")).to_be_visible()
    in_force = page.locator(".summary-row").filter(has_text="Version in force").filter(has_text=str(version.version))
    wait_until(lambda: in_force.count() > 0, page)
    assert federation.directory == version
    expect(
        upload(federation.signed_directory(version)).get_by_text("It says what the version in force")
    ).to_be_visible()
    expect(desk("mo", "auditor").open("/operations/directory").get_by_label("File")).to_have_count(0)
    row = desk("mo", "auditor").open("/operations/audit?method=TakeDirectory").get_by_role("row")
    expect(row.filter(has_text="Pedro Lei put a version of the directory in place")).to_have_count(1)
