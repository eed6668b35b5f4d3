"""Every page that shows a partner's words, while the partner writes markup wherever the contract lets it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from gateway.v1 import alert_pb2
from tests.support.console.desk import Desks, desks
from tests.support.console.hostile_partner import HostileAlerts, send_all
from tests.support.console.payloads import MARK, PAYLOADS
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import eventually
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
