"""Every page that shows a partner's words, while the partner writes markup wherever the contract lets it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gateway.errors import MisbehaviourError
from gateway.v1 import alert_pb2, feed_pb2
from tests.support.console.behind_forms import GROUNDS
from tests.support.console.desk import Desks, desks
from tests.support.console.hostile_partner import HostileAlerts, send_all
from tests.support.console.payloads import MARK, PAYLOADS
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import eventually
from tests.support.partner import Partner, entry, publication
from tests.support.programs import CHROMIUM

LISTS = ("/inbox", "/watchlists", "/watchlists/of/mo/minerals", "/notifications")
STEPS = ("", "/acknowledge", "/flag", "/ask", "/finding")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleTrial]:
    """hk alone, and mo's gateway in the hands of the test."""
    CHROMIUM.require()
    with ConsoleTrial(tmp_path_factory.mktemp("attacked")) as trial:
        trial.start("hk")
        trial.session("hk", "officer")
        yield trial


@pytest.fixture(scope="module")
def sent(attacked: ConsoleTrial) -> HostileAlerts:
    async def send() -> HostileAlerts:
        sent = await send_all(attacked.federation, "mo", "hk")
        async with attacked.federation.client("hk", "officer") as officer:
            last = alert_pb2.AlertReference(publisher="mo", alert_id=list(sent.alert_ids.values())[-1])

            async def shown() -> bool:
                entries = [entry async for entry in officer.watchlist.entries()]
                return len((await officer.get_alert(last)).history) >= 3 and len(entries) == len(PAYLOADS)

            await eventually(shown, what="the hostile alerts and entries at hk")
        return sent

    return attacked.run(send())


@pytest.fixture
def desk(attacked: ConsoleTrial, browser: Browser) -> Iterator[Desks]:
    with desks(attacked, browser) as made:
        yield made


def injected(page: Page) -> list[str]:
    """Elements that a partner's text made, and what of it ran."""
    return page.evaluate(
        f"""() => [
            ...[...document.querySelectorAll("[{MARK}], [onerror], [onload]")]
                .map(each => each.outerHTML.slice(0, 200)),
            ...[...document.querySelectorAll("a[href], form[action], [src]")]
                .filter(each => /^\\s*(javascript|data|vbscript):/i.test(
                    each.getAttribute("href") || each.getAttribute("action") || each.getAttribute("src")))
                .map(each => each.outerHTML.slice(0, 200)),
            ...(document.body.innerText.includes("49$49") ? ["a template ran"] : []),
        ]"""
    )


@pytest.mark.parametrize("language", ["en", "zh-Hant"])
def test_an_alert_shows_markup_as_words(desk: Desks, sent: HostileAlerts, language: str) -> None:
    officer = desk("hk", "officer", language=language)
    for name, alert_id in sent.alert_ids.items():
        page = officer.open(f"/alerts/mo/{alert_id}")
        assert injected(page) == [], name
        assert PAYLOADS[name][:12] in page.locator("main").inner_text(), name


def test_lists_show_markup_as_words(desk: Desks, sent: HostileAlerts) -> None:
    officer = desk("hk", "officer")
    for path in LISTS:
        assert injected(officer.open(path)) == [], path
    for number, name in enumerate(PAYLOADS):
        assert injected(officer.open(f"/watchlists/entry/mo/minerals/X-{number}")) == [], name


def test_steps_show_what_they_answer_as_words(desk: Desks, sent: HostileAlerts) -> None:
    officer = desk("hk", "officer")
    for name in ("out of everything", "attribute", "htmx"):
        for step in STEPS:
            assert injected(officer.open(f"/alerts/mo/{sent.alert_ids[name]}{step}")) == [], (name, step)


def test_figures_and_connections_show_markup_as_words(desk: Desks, sent: HostileAlerts) -> None:
    """Counts by what partners wrote, their lists' hits, and a picture of whom their alerts connect, with its list."""
    supervisor = desk("hk", "supervisor")
    for path in ("/figures", "/watchlists/hits", "/watchlists/matches"):
        assert injected(supervisor.open(path)) == [], path
    officer = desk("hk", "officer")
    for name in ("out of everything", "attribute", "htmx"):
        page = officer.open(f"/network?alert=mo/{sent.alert_ids[name]}")
        for field, value in GROUNDS.items():
            page.locator(f"#{field}").fill(value)
        page.get_by_role("button", name="Show connections").click()
        expect(page.locator("svg.graph:visible")).to_have_count(1)
        assert injected(page) == [], name
        assert PAYLOADS[name][:12] in page.locator("main").inner_text(), name


def test_what_a_reader_types_comes_back_as_words(desk: Desks, sent: HostileAlerts) -> None:
    """Parameters of addresses, as a link in an e-mail has them."""
    from urllib.parse import quote

    officer = desk("hk", "officer")
    with officer.expecting(r"status of 4\d\d"):
        for payload in PAYLOADS.values():
            value = quote(payload, safe="")
            for path in (
                f"/inbox?q={value}&filter={value}&view={value}",
                f"/history?containers={value}&party_names={value}",
                f"/network?container={value}",
                f"/watchlists?name={value}",
                f"/alerts/{value}/{value}",
                f"/sign-in?next={value}",
                f"/{value}",
            ):
                assert injected(officer.open(path)) == [], path


def test_the_log_of_the_console_has_no_line_of_a_partners(attacked: ConsoleTrial, sent: HostileAlerts) -> None:
    assert MARK not in attacked["hk"].log


def test_a_fork_is_evidence_to_keep_and_an_operator_resolves_it(
    attacked: ConsoleTrial, desk: Desks, sent: HostileAlerts, tmp_path: Path
) -> None:
    """Last, since nothing more comes from mo before it is resolved."""
    feed = attacked.run(fork(attacked, sent))
    operator = desk("hk", "operator")
    page = operator.open("/operations")
    mo = page.get_by_role("region", name="MO", exact=True)
    mo.get_by_text(re.compile("[0-9]+ feeds")).click()
    mo.get_by_role("link", name="Alerts", exact=True).last.click()
    expect(page.get_by_text("Quarantine", exact=True).first).to_be_visible()
    operator.assert_accessible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the evidence").click()
    kept = tmp_path / "quarantine.zip"
    download.value.save_as(kept)
    assert f"mo has signed two histories of {feed}" in " ".join(attacked.verified(kept).split())

    page.get_by_role("link", name="Resolve the quarantine").click()
    with operator.expecting("status of 422"):
        page.get_by_role("button", name="Resolve the quarantine").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why")
    page.get_by_label("Reason").fill("mo restored a backup, by telephone")
    page.get_by_role("button", name="Resolve the quarantine").click()
    expect(page.get_by_text("The quarantine was resolved.")).to_be_visible()
    expect(page.get_by_role("link", name="Resolve the quarantine")).to_have_count(0)


async def fork(attacked: ConsoleTrial, sent: HostileAlerts) -> str:
    """Sends another history of mo's feed of alerts, as long as the one that hk has; the feed's name."""
    partner = Partner(attacked.federation, "mo", "hk")
    try:
        *kept, _last = sent.entries
        other = entry(publication("mo", "hk", case_reference="ANOTHER HISTORY").SerializeToString())
        forked = feed_pb2.Batch(origin=partner.feed, first_index=len(kept), entries=[other])
        forked.checkpoint = partner.checkpoint([*kept, other])
        with pytest.raises(MisbehaviourError):
            await partner.send(forked)
    finally:
        await partner.close()
    return partner.feed
