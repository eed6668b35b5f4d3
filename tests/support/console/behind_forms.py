"""Pages that only a form leads to: answers, previews, questions before something is sent. Nothing is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.json_format import MessageToDict
from playwright.sync_api import Page

from demo import case as story
from gateway.client import AlertReference
from gateway.v1.watchlist_pb2 import WatchlistEntry
from tests.support.console.case import Case
from tests.support.nodes import listed_content

GROUNDS = {"legal_basis": "CEPA art. 5", "case_reference": "HK-2026-17"}

GO_ON = "main form .actions button.button:not(.secondary)"
"""The button that goes on, in every language."""

PREVIEW = "button[name=do][value=preview]"
CONFIRM = "form.confirm"


@dataclass(frozen=True)
class FormPlace:
    """A page behind a form.

    Attributes:
        reach: fills in the form at `path` and sends it; returns when the page is there. Finds fields by their names:
            it works in every language.
        provokes: what the guard notes meanwhile, and is meant, as for `PageGuard.expecting`.
    """

    title: str
    node: str
    person: str
    path: str
    reach: Callable[[Page], None]
    provokes: Sequence[str] = ()


def form_places(case: Case) -> Iterator[FormPlace]:
    """All of them."""
    yield FormPlace("history-results", "hk", "officer", "/history", _search)
    yield FormPlace("history-trace", "hk", "officer", "/history", _trace)
    yield FormPlace("network-graph", "hk", "officer", "/network", _connect)
    yield FormPlace("network-partners", "hk", "officer", "/network", _ask_partners)
    yield FormPlace("new-alert-preview", "cn", "officer", "/alerts/new", write_alert)
    for title, lose, status in (("kept-form", _sign_out, 401), ("kept-form-signed-in", _lose_token, 403)):
        provokes = (f"status of {status}",)
        yield FormPlace(title, "hk", "officer", "/alerts/new", _kept(lose), provokes)
    for step, fields in RECIPIENTS_STEPS.items():
        yield FormPlace(f"preview-{step}", "hk", "officer", _of(case.unread, step), _filled(fields))
    for step, fields in PUBLISHERS_STEPS.items():
        yield FormPlace(f"preview-{step}", "hk", "officer", _of(case.from_hk, step), _filled(fields))
    entry = f"minerals/{case.entry_id}"
    yield FormPlace("entry-new-check", "cn", "officer", "/watchlists/new", _list)
    yield FormPlace("entry-amend-check", "cn", "officer", f"/watchlists/amend/{entry}", _filled({"reason": "Seen"}))
    yield FormPlace("entry-withdraw-check", "cn", "officer", f"/watchlists/withdraw/{entry}", _filled({"reason": "-"}))
    hit = f"/watchlists/hits/mo/{case.hit_of_mo}"
    yield FormPlace("hit-check", "cn", "officer", hit, _filled({"outcome-1": "", "remarks": "By its register"}))
    yield FormPlace("import-preview", "cn", "supervisor", "/watchlists/import?list=minerals", _import)
    profile = f"/risk-profiles/cn/{case.profile}"
    yield FormPlace("profile-check", "hk", "analyst", profile, _adopt)
    yield FormPlace("match", "hk", "officer", "/watchlists/matches", _match)
    yield FormPlace("match-group", "hk", "officer", "/watchlists/matches/alike/entry", _match_group)
    yield FormPlace("directory-preview", "mo", "operator", "/operations/directory", _upload_directory)
    yield FormPlace("maintenance-preview", "mo", "operator", "/operations/maintenance", _maintain)


RECIPIENTS_STEPS = {
    "acknowledge": {"case_reference": "HK-7"},
    "flag": {"reason-1": "", "explanation": "It has left already"},
    "ask": {"text": "Which seals are on it?"},
    "finding": {"result-1": "", "goods-0-description": "Ingots, grey", "goods-0-purity": "99.65"},
}
PUBLISHERS_STEPS = {
    "withdraw": {"reason": "Another container"},
    "close": {"outcome-1": "", "remarks": "Seized at Macao"},
    "amend": {"caveat": "Don't let the declarant notice it"},
}
"""Fields by id with what is written; "" for a choice."""


def _of(alert: AlertReference, step: str) -> str:
    return f"/alerts/{alert.publisher}/{alert.alert_id}/{step}"


def _fill(page: Page, fields: dict[str, str]) -> None:
    for name, value in fields.items():
        if value:
            page.locator(f"#{name}").fill(value)
        else:
            page.locator(f"#{name}").check()


def _filled(fields: dict[str, str]) -> Callable[[Page], None]:
    """Fills in fields, goes on, and waits for the page that asks before it sends."""

    def reach(page: Page) -> None:
        _fill(page, fields)
        page.locator(GO_ON).first.click()
        page.locator(CONFIRM).wait_for()

    return reach


def _adopt(page: Page) -> None:
    page.locator("button[name=step][value=adopt]").click()
    page.locator(CONFIRM).wait_for()


def _search(page: Page) -> None:
    _fill(page, GROUNDS | {"containers": story.CONTAINER})
    page.locator(GO_ON).first.click()
    page.locator("p.end").wait_for()


def _trace(page: Page) -> None:
    _fill(page, GROUNDS | {"containers": story.CONTAINER})
    page.locator("button[formaction='/history/trace']").click()
    page.locator("svg.trace").last.wait_for(state="attached")


def _connect(page: Page) -> None:
    _fill(page, GROUNDS | {"what": story.CONTAINER})
    page.locator("input[name=begin][value=container]").check()
    page.locator(GO_ON).first.click()
    page.locator("svg.graph").last.wait_for(state="attached")


def _ask_partners(page: Page) -> None:
    _connect(page)
    page.locator(".node-steps button[name=about]").first.click()
    page.locator("input[name=nodes]").first.wait_for()


def write_alert(page: Page, case_reference: str = "CN-2026-18") -> None:
    """Fills in the form of a new alert to both partners, and waits for the page that asks before it sends."""
    page.locator("#recipients input[value=hk]").check()
    page.locator("#recipients input[value=mo]").check()
    page.locator("input[name=typologies][value=false_declaration]").check()
    for name, value in {"purpose": "export_control", "priority": "A", "requested_action": "inspect"}.items():
        page.locator(f"#{name}").select_option(value)
    page.locator("#classification").select_option("restricted")
    _fill(
        page,
        {
            "legal_basis": "Arrangement 2024, article 7",
            "case_reference": case_reference,
            "equipment-0-id": story.CONTAINER,
            "goods-0-description": "Lead ingots",
            "goods-0-substance": "antimony",
            "parties-0-name": "广西华锑有限公司",
            "route-0-from": "CNSZX",
            "route-0-to": "HKHKG",
            "narrative-en": "Antimony declared as lead.",
        },
    )
    page.locator(PREVIEW).last.click()
    page.locator(CONFIRM).wait_for()


def _kept(lose: Callable[[Page], None]) -> Callable[[Page], None]:
    """Sends a form of a session that is lost, and waits for the page that gives back what was written."""

    def reach(page: Page) -> None:
        page.locator("#narrative-en").fill("Seen at three in the morning, by the night shift, at the second gate.")
        before = page.context.cookies()
        lose(page)
        page.locator(PREVIEW).last.click()
        page.locator("section.card .said").first.wait_for()
        page.context.clear_cookies()
        page.context.add_cookies([{**cookie} for cookie in before])  # type: ignore[typeddict-item]  # what it gave

    return reach


def _sign_out(page: Page) -> None:
    """As a session that has ended: the browser has nothing that the node knows."""
    page.context.clear_cookies()


def _lose_token(page: Page) -> None:
    """As a form of an earlier session, while the person has signed in again."""
    page.evaluate("document.querySelectorAll('input[name=csrf]').forEach(field => { field.value = 'of another'; })")


def _list(page: Page) -> None:
    page.locator("#names-0-script").select_option("Hans")
    page.locator("#releasable_to input[value=hk]").check()
    _fill(
        page,
        {
            "list": "minerals",
            "names-0-text": "示例稀土有限公司",
            "identifiers-0-value": "91440300MA5EXAMPL1",
            "reason": "Exported without a licence (placeholder)",
            "legal_basis": "Export Control Law, article 20",
        },
    )
    page.locator(PREVIEW).last.click()
    page.locator(CONFIRM).wait_for()


def _import(page: Page) -> None:
    content = listed_content("示例国际贸易有限公司", reason="Changed by a file (placeholder)")
    row = json.dumps(MessageToDict(WatchlistEntry(id="W-04", content=content)), ensure_ascii=False)
    lines = f'{row}\n{{"id": "W-91"}}\nno JSON\n'.encode()
    page.locator("#file").set_input_files({"name": "minerals.jsonl", "mimeType": "text/plain", "buffer": lines})
    page.locator(GO_ON).first.click()
    page.locator(".tally").wait_for()


def _match(page: Page) -> None:
    page.locator(".entries:not(.groups) a").first.click()
    page.locator(".alignment").wait_for()


def _match_group(page: Page) -> None:
    page.locator(".groups a").first.click()
    page.locator("#reason").wait_for()


def _upload_directory(page: Page) -> None:
    """A draft of the next version, which nobody has signed yet."""
    note = page.request.get(page.url.rstrip("/") + "/note").body()
    draft = re.sub(rb'("version": )(\d+)', lambda found: b"%s%d" % (found[1], int(found[2]) + 1), note)
    draft = draft.rpartition(b"\n\n")[0] + b"\n"
    page.locator("#file").set_input_files({"name": "draft.json", "mimeType": "application/json", "buffer": draft})
    page.locator("main form[enctype] button[type=submit]").click()
    page.locator(".changes-of-directory").wait_for()


def _maintain(page: Page) -> None:
    begin = datetime.now(UTC) + timedelta(hours=1)
    dates = {"starts": begin, "ends": begin + timedelta(hours=2)}
    _fill(page, {name: f"{at:%Y-%m-%dT%H:%M}" for name, at in dates.items()} | {"reason": "New disks"})
    page.locator(GO_ON).last.click()
    page.locator(CONFIRM).wait_for()
