"""Files in the console: a picture attached to a finding, seen by the partner as a copy, and what else a file may be."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import Page, Route, expect

from gateway.client import AlertReference
from gateway.console.images.worker import SMALL_SIDE
from gateway.console.server.security import KEPT_BY_BROWSER
from tests.support.console.desk import Desk, Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.console.visitor import Visitor
from tests.support.federation import alert, eventually
from tests.support.files import about, digest, huge_png, signed

READ_FILE = "/gateway.v1.FileService/ReadFile"
PARTS = re.compile(r"/files/[^/]+/upload(\?|$)")
"""Addresses of a file that comes in parts."""


def x_ray(colour: tuple[int, int, int] = (40, 60, 90)) -> bytes:
    """A picture with metadata that must not be shown on."""
    out, info = io.BytesIO(), PngImagePlugin.PngInfo()
    info.add_text("Comment", "SECRET-METADATA")
    Image.new("RGB", (320, 200), colour).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def publish(
    trial: ConsoleTrial, content: bytes = b"", media_type: str = "image/png", name: str = "x.png"
) -> AlertReference:
    """An alert of cn at hk; with a file of cn's."""

    async def run() -> AlertReference:
        async with trial.federation.client("cn", "publisher") as risk, trial.federation.client("hk", "officer") as hk:
            evidence = []
            if content:
                path = Path(trial.federation.root) / "attached"
                path.write_bytes(content)
                await risk.files.put(path, about(media_type, file_name=name))
                evidence = [signed(content, media_type=media_type, file_name=name)]
            made = await risk.publish(alert(evidence=evidence), ["hk"])
            reference = AlertReference(publisher="cn", alert_id=made.alert_id)
            await eventually(lambda: hk.get_alert(reference), what="the alert at hk")
            return reference

    return trial.run(run())


@pytest.mark.parametrize("javascript", [True, False])
def test_a_picture_goes_with_a_finding(desk: Desks, trial: ConsoleTrial, tmp_path: Path, javascript: bool) -> None:
    reference = publish(trial)
    picture = tmp_path / "opened container.png"
    picture.write_bytes(x_ray((javascript, 60, 90)))
    officer = desk("hk", "officer", javascript=javascript)
    page = officer.open(f"/alerts/cn/{reference.alert_id}/finding")
    page.locator("#result input[value=confirmed]").check()
    page.locator("#file").set_input_files(picture)
    if javascript:
        expect(page.get_by_role("status").filter(has_text="uploaded")).to_be_visible()
        officer.assert_accessible()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("opened container.png")).to_be_visible()
    page.get_by_role("button", name="Send the finding").click()
    page.wait_for_url("**/alerts/cn/*")
    expect(page.get_by_role("link", name="opened container.png")).to_be_visible()

    there = desk("cn", "officer")
    page = there.open(f"/alerts/cn/{reference.alert_id}")
    expect(page.get_by_role("link", name="opened container.png")).to_be_visible()
    page.get_by_role("button", name="Ask for it").click()
    seen(page, f"/alerts/cn/{reference.alert_id}/files/{digest(picture.read_bytes()).hex()}", there.open)
    there.assert_accessible()


def finding_form(desk: Desks, trial: ConsoleTrial, **options: bool) -> tuple[Desk, Page]:
    """The form of a finding on a new alert, filled in but for its files."""
    reference = publish(trial)
    officer = desk("hk", "officer", **options)
    page = officer.open(f"/alerts/cn/{reference.alert_id}/finding")
    page.locator("#result input[value=confirmed]").check()
    return officer, page


def continue_(page: Page) -> None:
    page.get_by_role("button", name="Continue").click()


def on_its_way(page: Page) -> list[Route]:
    """Holds parts of files up, as a slow line would; tests let each go on."""
    held: list[Route] = []
    page.route(PARTS, lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    return held


def test_a_form_that_is_sent_while_its_picture_uploads_waits_for_it(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    picture = tmp_path / "slow.png"
    picture.write_bytes(x_ray((7, 60, 90)))
    officer, page = finding_form(desk, trial)
    held = on_its_way(page)
    with page.expect_request(PARTS):
        page.locator("#file").set_input_files(picture)
    continue_(page)
    expect(page.get_by_role("status").filter(has_text="when every file has arrived")).to_be_visible()
    officer.assert_accessible()
    held[0].continue_()
    expect(page.locator(".envelope")).to_contain_text("slow.png")


@pytest.mark.parametrize("way_on", ["left out", "chosen again", "tried again"])
def test_a_form_does_not_go_on_past_an_upload_that_failed(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path, way_on: str
) -> None:
    picture = tmp_path / "cut.png"
    picture.write_bytes(x_ray((8, len(way_on), 90)))
    officer, page = finding_form(desk, trial)
    held = on_its_way(page)
    with page.expect_request(PARTS):
        page.locator("#file").set_input_files(picture)
    continue_(page)
    with officer.expecting("status of 500"):
        held[0].fulfill(status=500)
        expect(page.get_by_role("alert").filter(has_text="cut.png: The upload failed")).to_be_focused()
        officer.assert_accessible()
    page.get_by_label("Description").fill("Seen at night.")
    continue_(page)
    expect(page.get_by_role("alert").filter(has_text="cut.png")).to_be_focused()
    page.unroute(PARTS)
    if way_on == "left out":
        page.get_by_role("button", name="Leave this file out").click()
    elif way_on == "tried again":
        page.get_by_role("button", name="Try again").click()
    else:
        page.locator("#file").set_input_files(picture)
    continue_(page)
    expect(page.locator(".envelope")).to_be_visible()
    assert page.get_by_text("cut.png").count() == (way_on != "left out")


def test_a_form_whose_upload_is_left_out_goes_on_without_it(desk: Desks, trial: ConsoleTrial, tmp_path: Path) -> None:
    picture = tmp_path / "endless.png"
    picture.write_bytes(x_ray((9, 60, 90)))
    officer, page = finding_form(desk, trial)
    held = on_its_way(page)
    with page.expect_request(PARTS):
        page.locator("#file").set_input_files(picture)
    with officer.expecting("net::ERR_ABORTED"):
        page.get_by_role("button", name="Leave this file out").click()
        held[0].abort()
        expect(page.get_by_role("button", name="Leave this file out")).to_have_count(0)
    continue_(page)
    expect(page.locator(".envelope")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_refused_file_is_named_before_the_form_goes_on(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path, javascript: bool
) -> None:
    """A page that is called a picture, which the gateway doesn't take."""
    page_file = tmp_path / "no picture.png"
    page_file.write_text("<html></html>")
    officer, page = finding_form(desk, trial, javascript=javascript)
    page.locator("#file").set_input_files(page_file)
    with officer.expecting("status of 422"):
        if javascript:
            expect(page.get_by_role("alert").filter(has_text="no picture.png")).to_be_visible()
        continue_(page)
        expect(page.get_by_role("alert").filter(has_text="no picture.png")).to_be_visible()
        if javascript:
            officer.assert_accessible()
    assert not page.locator(".envelope").count()
    if javascript:
        page.get_by_role("button", name="Leave this file out").click()
    continue_(page)
    expect(page.locator(".envelope")).to_be_visible()


def test_without_scripts_several_files_go_with_the_form_and_each_that_is_refused_is_named(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    good = [tmp_path / "left side.png", tmp_path / "right side.png"]
    bad = [tmp_path / "no picture.png", tmp_path / "notes.xyz"]
    for number, file in enumerate(good):
        file.write_bytes(x_ray((12, number, 90)))
    for file in bad:
        file.write_text("<html></html>")
    officer, page = finding_form(desk, trial, javascript=False)
    page.locator("#file").set_input_files([*good, *bad])
    with officer.expecting("status of 422"):
        continue_(page)
        problem = page.locator("#file-problem")
        expect(problem).to_contain_text("no picture.png: it doesn't begin as a file of the type image/png does")
        expect(problem).to_contain_text("notes.xyz: files of the type")
    for file in good:
        expect(page.get_by_role("checkbox", name=file.name)).to_be_checked()
    continue_(page)
    for file in good:
        expect(page.locator(".envelope")).to_contain_text(file.name)
    page.get_by_role("button", name="Send the finding").click()
    expect(page.get_by_role("link", name="right side.png")).to_be_visible()
    expect(page.get_by_role("link", name="no picture.png")).to_have_count(0)


def test_a_file_of_a_form_whose_session_ended_is_asked_for_again(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    """Without script the file goes with the form: the form is kept, and says that the file isn't."""
    picture = tmp_path / "late.png"
    picture.write_bytes(x_ray((11, 60, 90)))
    officer, page = finding_form(desk, trial, javascript=False)
    page.locator("#file").set_input_files(picture)
    cookies = officer.context.cookies()
    officer.context.clear_cookies()
    with officer.expecting("status of 40[13]", "status of 422"):
        continue_(page)
        expect(page.get_by_text("Choose the file again")).to_be_visible()
        officer.context.clear_cookies()
        officer.context.add_cookies(cookies)  # as after signing in in another tab, in the same session
        page.get_by_role("button", name="Go on with what I wrote").click()
        page.get_by_role("button", name="Go on with what I wrote").click()
        expect(page.get_by_role("alert").filter(has_text="late.png was not kept")).to_be_visible()
    page.locator("#file").set_input_files(picture)
    continue_(page)
    expect(page.locator(".envelope")).to_contain_text("late.png")


def seen(page: Page, path: str, open_page: object) -> None:
    """Opens the file's page until the picture is there."""
    for _ in range(20):
        page.goto(page.url.partition("/alerts")[0] + path)
        if page.locator("figure img").count():
            break
    image = page.locator("figure img")
    expect(image).to_be_visible()
    assert image.evaluate("element => element.naturalWidth") == 320


def test_a_shown_picture_is_a_copy_and_a_download_stays_one(desk: Desks, trial: ConsoleTrial) -> None:
    content = x_ray((1, 2, 3))
    reference = publish(trial, content)
    officer = desk("cn", "officer")
    path = f"/alerts/cn/{reference.alert_id}/files/{digest(content).hex()}"
    page = officer.open(path)
    expect(page.locator("figure img")).to_be_visible()
    shown = page.request.get(f"{officer.office.origin}{path}/picture")
    assert shown.headers["content-type"] in ("image/png", "image/jpeg")
    assert b"SECRET-METADATA" not in shown.body()
    kept = page.request.get(f"{officer.office.origin}{path}/download")
    assert kept.body() == content
    assert kept.headers["content-disposition"].startswith("attachment")
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in kept.headers["content-security-policy"]
    assert kept.headers["content-type"] == "application/octet-stream"


def test_a_page_in_a_picture_s_clothes_is_no_page(desk: Desks, trial: ConsoleTrial) -> None:
    """Bytes that begin as a PNG and go on as HTML: taken by their beginning, and shown as nothing."""
    content = b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script></html>"
    reference = publish(trial, content)
    officer = desk("cn", "officer")
    path = f"/alerts/cn/{reference.alert_id}/files/{digest(content).hex()}"
    with officer.expecting("status of 404"):
        page = officer.open(path)
        shown = page.request.get(f"{officer.office.origin}{path}/picture")
        assert shown.status == 404
        assert b"<script>alert" not in shown.body()


def test_a_picture_that_is_too_large_to_be_shown_says_so_and_can_be_had(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    content = huge_png(60_000, 60_000)
    picture = tmp_path / "whole ship.png"
    picture.write_bytes(content)
    words = "too large to be shown here: 60,000 × 60,000 pixels"
    officer, page = finding_form(desk, trial)
    page.locator("#file").set_input_files(picture)
    expect(page.get_by_role("checkbox", name="whole ship.png")).to_be_checked()
    expect(page.locator(".attached")).to_contain_text(words)
    officer.assert_accessible()
    continue_(page)
    page.get_by_role("button", name="Send the finding").click()
    page.get_by_role("link", name="whole ship.png").click()
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.locator("figure img")).to_have_count(0)
    officer.assert_accessible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the file").click()
    assert Path(download.value.path()).read_bytes() == content


def test_without_scripts_too_a_form_that_comes_back_says_that_its_picture_is_too_large_to_be_shown(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    large, refused = tmp_path / "whole port.png", tmp_path / "no picture.png"
    large.write_bytes(huge_png(59_999, 60_000))
    refused.write_text("<html></html>")
    officer, page = finding_form(desk, trial, javascript=False)
    page.locator("#file").set_input_files([large, refused])
    with officer.expecting("status of 422"):
        continue_(page)
        expect(page.get_by_text("too large to be shown here: 59,999 × 60,000 pixels")).to_be_visible()


def opened_by(trial: ConsoleTrial, person: str, last: bytes) -> list[bytes]:
    """Digests of files that a person of cn has opened, by the audit log, up to one that was opened last."""

    async def read() -> list[bytes]:
        async with trial.federation.client("cn", "auditor") as auditor:
            events = auditor.evidence.audit_events(filter=f'person = {person} AND method = "{READ_FILE}"')
            files = [event.details["subject_ids"] async for event in events if event.reason == "FILE_READ"]
        opened = [bytes.fromhex(file) for file in files]
        assert last in opened, opened
        return opened

    return trial.run(eventually(read, what="the last opening in the audit log"))


def test_small_pictures_are_opened_by_a_click_and_kept_and_a_file_s_page_opens_it_once(
    desk: Desks, trial: ConsoleTrial
) -> None:
    content, other = x_ray((21, 2, 3)), x_ray((22, 2, 3))
    reference, of_other = publish(trial, content), publish(trial, other)
    name = trial.run(trial["cn"].newcomer("officer"))
    officer = desk("cn", name)
    page = officer.open(f"/alerts/cn/{reference.alert_id}")
    expect(page.get_by_role("link", name="x.png")).to_be_visible()
    expect(page.locator("img")).to_have_count(0)
    small = page.locator("img.file-preview")
    for _ in range(2):
        page.goto(f"{officer.office.origin}/alerts/cn/{reference.alert_id}")
        page.get_by_role("link", name="Show the pictures, small").click()
        expect(small).to_have_js_property("naturalWidth", SMALL_SIDE)
    officer.assert_accessible()
    page.get_by_role("link", name="x.png").click()
    expect(page.locator("figure img")).to_have_js_property("naturalWidth", 320)

    path = f"/alerts/cn/{of_other.alert_id}/files/{digest(other).hex()}"
    assert page.request.get(f"{officer.office.origin}{path}/download").body() == other
    assert sorted(opened_by(trial, name, digest(other))) == sorted([digest(content)] * 2 + [digest(other)])


def test_a_small_picture_is_for_those_who_may_open_its_file(trial: ConsoleTrial) -> None:
    content = x_ray((23, 2, 3))
    path = f"/alerts/cn/{publish(trial, content).alert_id}/files/{digest(content).hex()}/thumbnail"
    answer = Visitor.with_session(trial["cn"], trial.session("cn", "officer")).get(path)
    assert answer.status == 200
    assert (answer.headers["Cache-Control"], "cookie" in answer.headers["Vary"].lower()) == (KEPT_BY_BROWSER, True)
    assert len(answer.body) < 10_000
    assert b"SECRET-METADATA" not in answer.body
    assert Visitor.with_session(trial["cn"], trial.session("cn", "operator")).get(path).status in (403, 404)
    assert Visitor.with_session(trial["hk"], trial.session("hk", "officer")).get(path).status == 404  # isn't there yet
    assert Visitor(trial["cn"]).get(path).status == 303


def test_a_list_has_a_frame_for_what_isn_t_shown(desk: Desks, trial: ConsoleTrial) -> None:
    reference = publish(trial, huge_png(60_000, 59_999))
    officer = desk("cn", "officer")
    page = officer.open(f"/alerts/cn/{reference.alert_id}/files")
    expect(page.locator("img.file-preview")).to_be_visible()
    page.get_by_role("link", name="x.png").click()
    expect(page.get_by_text("60,000 × 59,999 pixels")).to_be_visible()
