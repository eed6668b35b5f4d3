"""Connections as an officer follows them: reasons first, a picture with its list, and on from a node."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from demo.case import CONTAINER, HK_CONSIGNEE
from gateway.v1 import party_pb2, shipment_pb2
from tests.support.console.case import Case
from tests.support.console.desk import Desk, Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import eventually
from tests.support.shipments import shipment

FORWARDER = "Placeholder Harbour Forwarders Limited"
HUB_CONTAINER = "TCNU7654323"
OF_HUB = 205
"""More records than a node may have to be followed, by the default of the settings."""


def ask(officer: Desk, what: str, *, begin: str = "Container", path: str = "/network") -> Page:
    """Fills in the form without sending it."""
    page = officer.open(path)
    page.get_by_label("Purpose").select_option("export_control")
    page.get_by_label("Legal basis").fill("CEPA art. 5")
    page.get_by_label("Case", exact=True).fill("HK-2026-17")
    if path == "/network":
        page.get_by_role("radio", name=begin, exact=True).check()
        page.get_by_label("Which one").fill(what)
    return page


def shown(page: Page) -> None:
    page.get_by_role("button", name="Show connections").click()
    expect(page.locator("svg.graph:visible")).to_have_count(1)


def test_nothing_is_shown_without_a_reason(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = officer.open("/network")
    page.get_by_label("Which one").fill(CONTAINER)
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Show connections").click()
        expect(page.get_by_role("alert")).to_contain_text("Name the law or agreement on which you ask.")
    expect(page.get_by_label("Which one")).to_have_value(CONTAINER)
    officer.assert_accessible()


def test_a_container_shows_who_and_what_it_connects_and_why(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, CONTAINER)
    shown(page)
    nodes = page.get_by_role("region", name="What is connected, and why")
    seed = nodes.locator(".node-card").first
    expect(seed).to_contain_text(CONTAINER)
    expect(seed).to_contain_text("Alert of")
    expect(seed).to_contain_text("record")
    expect(nodes).to_contain_text(HK_CONSIGNEE["en"])
    officer.assert_accessible()


def test_a_node_of_the_picture_leads_to_its_place_in_the_list(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer"), CONTAINER)
    shown(page)
    page.locator("svg.graph:visible a").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".node-card:target")).to_have_count(1)


def test_on_from_a_node_and_only_some_kinds(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, CONTAINER)
    shown(page)
    page.locator(".node-card", has_text=HK_CONSIGNEE["en"]).get_by_role("button", name="Go on from here").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("示例物流")
    page.get_by_label("Party", exact=True).uncheck()
    page.get_by_label("Declarant", exact=True).uncheck()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".node-card")).not_to_have_count(0)
    for card in page.locator(".node-card").all()[1:]:
        expect(card.locator("h3 .fine")).not_to_have_text("Party")


def test_from_a_node_to_its_record_and_alert_in_tabs_of_their_own(desk: Desks, case: Case) -> None:
    """Going back to an answer of a form would ask to send it again."""
    page = ask(desk("hk", "officer"), CONTAINER)
    shown(page)
    seed = page.locator(".node-card").first
    with page.expect_popup() as record:
        seed.get_by_role("link", name="shipment").first.click()
    expect(record.value.get_by_role("heading", name="Declared").first).to_be_visible()
    with page.expect_popup() as alert:
        seed.get_by_role("link", name="Alert of").first.click()
    expect(alert.value).to_have_url(re.compile("/alerts/(cn|hk)/"))
    listed = page.locator(".node-card", has_text=HK_CONSIGNEE["en"])
    with page.expect_popup() as entry:
        listed.get_by_role("link", name="List cn/minerals").first.click()
    expect(entry.value).to_have_url(re.compile("/watchlists/entry/cn/minerals/"))


def test_a_link_of_another_page_says_where_to_begin_and_never_why(desk: Desks, case: Case) -> None:
    alert = f"{case.from_cn.publisher}/{case.from_cn.alert_id}"
    officer = desk("hk", "officer")
    page = officer.open(f"/network?alert={alert}")
    expect(page.get_by_label("Which one")).to_have_value(alert)
    expect(page.get_by_label("Purpose")).to_have_value("export_control")
    shown(ask(officer, alert, path=f"/network?alert={alert}"))


def test_what_isnt_here_is_said_at_the_field(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, "NO-SUCH-RECORD", begin="Own shipment record, by its id")
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Show connections").click()
        expect(page.get_by_role("alert")).to_contain_text("It isn't here")


def test_it_works_without_script_and_on_a_narrow_screen(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer", javascript=False, width=360), CONTAINER)
    page.get_by_role("button", name="Show connections").click()
    expect(page.locator(".picture-narrow svg.graph")).to_be_visible()
    expect(page.locator(".node-card").first).to_contain_text(CONTAINER)


def test_an_operator_may_not_see_connections(desk: Desks, case: Case) -> None:
    operator = desk("hk", "operator")
    with operator.expecting("status of 403"):
        page = operator.open("/network")
        expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")


def of_forwarder(number: int) -> shipment_pb2.Shipment:
    made = shipment(f"HUB-{number:03}")
    for name in ("parties", "equipment", "means", "route", "events"):
        made.ClearField(name)
    for role, text in (
        (party_pb2.PARTY_ROLE_DECLARANT, FORWARDER),
        (party_pb2.PARTY_ROLE_CONSIGNEE, f"Placeholder Trader {number:03} Limited"),
    ):
        made.parties.add(role=role, names=[party_pb2.Name(text=text)])
    if number == 0:
        made.equipment.add(id=HUB_CONTAINER)
    return made


@pytest.fixture(scope="module")
def hub(trial: ConsoleTrial) -> None:
    """A forwarder of many shipments, one of them with a container."""

    async def fill() -> None:
        async with trial.federation.client("hk", "publisher") as engine:
            async for batch in engine.history.record([of_forwarder(number) for number in range(OF_HUB)]):
                assert not batch.refused
        async with trial.federation.client("hk", "officer") as officer:

            async def indexed() -> bool:
                last = await officer.history.get(f"HUB-{OF_HUB - 1:03}")
                return not last.unindexed

            await eventually(indexed, what="the forwarder's shipments in the index")

    trial.run(fill())


def card(page: Page, text: str) -> Locator:
    return page.locator(".node-card", has=page.get_by_role("heading", name=text)).first


def traders(page: Page) -> set[str]:
    found = page.locator(".node-card h3", has_text="Placeholder Trader").all_text_contents()
    return {name.split(" Limited")[0] for name in found}


@pytest.mark.parametrize("javascript", [True, False])
def test_a_hub_is_shown_in_pages_with_the_same_grounds(
    desk: Desks, case: Case, hub: None, trial: ConsoleTrial, javascript: bool
) -> None:
    officer = desk("hk", "officer", javascript=javascript)
    page = ask(officer, HUB_CONTAINER)
    page.locator("summary", has_text="How far it goes").click()
    page.get_by_label("Steps").select_option("2")
    page.get_by_role("button", name="Show connections").click()
    forwarder = card(page, FORWARDER)
    expect(forwarder).to_contain_text(f"In {OF_HUB} records")
    expect(forwarder.get_by_role("button", name="Go on from here")).to_have_count(0)
    forwarder.get_by_role("button", name="Show what is connected with it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(FORWARDER)
    expect(page.locator(".asked")).to_contain_text("HK-2026-17")
    first = traders(page)
    assert len(first) == 30
    assert f"Placeholder Trader {OF_HUB - 1:03}" in first  # the newest
    expect(card(page, FORWARDER)).to_contain_text("names both")
    page.get_by_role("button", name="Show further connections").click()
    expect(page.locator(".caption", has_text="Page 2")).to_be_visible()
    second = traders(page)
    assert len(second) == 30
    assert not first & second
    if javascript:
        officer.assert_accessible()

    async def audited() -> list[str]:
        async with trial.federation.client("hk", "auditor") as auditor:
            events = await auditor.evidence.audit_events_page(
                filter='method = "/gateway.v1.LinkAnalysisService/GetLinkGraph"'
            )
            found = [event.case_reference for event in events.events if "pages" in event.details]
        assert len(found) >= 2, found
        return found

    assert trial.run(eventually(audited, what="two pages in the audit log"))[:2] == ["HK-2026-17"] * 2


def view_box(page: Page) -> list[float]:
    return [float(part) for part in (page.locator("svg.graph:visible").get_attribute("viewBox") or "").split()]


def test_the_picture_is_made_larger_and_moved_by_buttons_and_keys(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, CONTAINER)
    shown(page)
    whole, tools = view_box(page), page.get_by_role("group", name="Size of the picture")
    tools.get_by_role("button", name="Larger").click()
    larger = view_box(page)
    assert larger[2] == pytest.approx(whole[2] / 1.5, rel=0.01)
    expect(tools.locator("output")).to_have_text("150%")
    page.keyboard.press("+")  # the button has the focus
    page.keyboard.press("ArrowRight")
    moved = view_box(page)
    assert moved[2] == pytest.approx(whole[2] / 2.25, rel=0.01)
    assert moved[0] > (whole[2] - moved[2]) / 2
    officer.assert_accessible()
    link = page.locator("svg.graph:visible a").last
    link.focus()
    centre = link.evaluate(
        "node => { const box = node.getBBox(); return [box.x + box.width / 2, box.y + box.height / 2] }"
    )
    left, top, width, height = view_box(page)
    assert left <= centre[0] <= left + width  # a node that gets the focus is seen
    assert top <= centre[1] <= top + height
    page.keyboard.press("0")
    assert view_box(page) == pytest.approx(whole)
    expect(tools.get_by_role("button", name="Smaller")).to_have_attribute("aria-disabled", "true")


def test_the_wheel_with_ctrl_enlarges_at_its_place_and_dragging_moves(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer"), CONTAINER)
    shown(page)
    whole, box = view_box(page), page.locator("svg.graph:visible").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.wheel(0, -100)
    assert view_box(page) == whole  # without Ctrl the page scrolls
    page.locator("svg.graph:visible").scroll_into_view_if_needed()
    box = page.locator("svg.graph:visible").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    expect(page.locator("output[data-zoom-scale]")).to_have_text("150%")
    corner = view_box(page)
    assert corner[0] < whole[2] * 0.02
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 100, box["y"] + box["height"] / 2 - 60, steps=4)
    page.mouse.up()
    dragged = view_box(page)
    assert dragged[0] > corner[0] + 20
    assert dragged[1] > corner[1] + 20


def test_without_script_the_picture_is_shown_in_full_width(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer", javascript=False), CONTAINER)
    page.get_by_role("button", name="Show connections").click()
    expect(page.get_by_role("group", name="Size of the picture")).to_have_count(0)
    picture = page.locator("svg.graph:visible")
    expect(picture).to_have_count(1)
    before = picture.bounding_box()
    page.get_by_role("link", name="In full width").click()
    expect(picture).to_have_count(1)
    after = picture.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] > 1.3 * before["width"]
    page.get_by_role("link", name="Beside the list").click()
    expect(picture).to_have_count(1)
    assert (picture.bounding_box() or before)["width"] == pytest.approx(before["width"])


@pytest.mark.parametrize("javascript", [True, False])
def test_partners_are_asked_about_a_node_and_their_answers_are_shown(desk: Desks, case: Case, javascript: bool) -> None:
    officer = desk("hk", "officer", javascript=javascript)
    page = ask(officer, CONTAINER)
    page.get_by_role("button", name="Show connections").click()
    card(page, CONTAINER).get_by_role("button", name="Ask partners about it").last.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(CONTAINER)
    expect(page.get_by_label("Container")).to_have_value(CONTAINER)
    expect(page.get_by_label("Case")).to_have_value("HK-2026-17")
    if javascript:
        officer.assert_accessible()
    for name in ("HK (own records)", "CN"):
        page.get_by_label(name, exact=True).uncheck()
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#answer-mo")).to_contain_text("complete")
    expect(page.locator("#answer-cn")).to_have_count(0)
    page.get_by_role("button", name="Show connections with these answers").click()
    expect(card(page, CONTAINER)).to_contain_text("of MO")
    expect(page.get_by_role("group", name="Look at these too").get_by_label("container").first).to_be_checked()
    held = page.get_by_role("group", name="Look at these too").locator("input:checked")
    expect(page.get_by_role("group", name="Look at these too")).to_contain_text("MO, ")
    held.first.uncheck()  # the answer is held, and can be left out
    page.get_by_role("button", name="Show", exact=True).click()
    expect(card(page, CONTAINER)).not_to_contain_text("of MO")


def test_a_trace_of_a_node_leads_back_to_the_graph_too(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer"), CONTAINER)
    shown(page)
    seed = card(page, CONTAINER)
    seed.locator("summary", has_text="name it").click()
    seed.locator(".sources").get_by_role("button", name="Ask partners about it").first.click()
    expect(page.get_by_label("Record", exact=True)).not_to_have_value("")
    page.get_by_role("button", name="Trace one consignment").click()
    expect(page.locator("svg.trace").first).to_be_visible()
    page.get_by_role("button", name="Show connections with these answers").click()
    expect(page.locator(".node-card").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("of CN")


def test_somebody_must_be_chosen_whom_one_asks(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, CONTAINER)
    shown(page)
    card(page, CONTAINER).get_by_role("button", name="Ask partners about it").last.click()
    asked = page.get_by_role("group", name="Whom you ask").get_by_role("checkbox")
    expect(asked).to_have_count(3)  # its own authority and two partners
    for box in asked.all():
        box.uncheck()
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Choose whom you ask.")
    expect(page.get_by_role("heading", level=1)).to_contain_text(CONTAINER)
