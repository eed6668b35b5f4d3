"""Files in the console: a picture attached to a finding, seen by the partner as a copy, and what else a file may be."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import Page, Route, expect

from gateway.client import AlertReference
from tests.support.console.desk import Desk, Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import alert, eventually
from tests.support.files import about, digest, signed


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
    """Holds uploads up, as a slow line would; tests let each go on."""
    held: list[Route] = []
    page.route("**/files/upload*", lambda route: held.append(route))  # noqa: PLW0108  # Playwright wants a function
    return held


def test_a_form_that_is_sent_while_its_picture_uploads_waits_for_it(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    picture = tmp_path / "slow.png"
    picture.write_bytes(x_ray((7, 60, 90)))
    officer, page = finding_form(desk, trial)
    held = on_its_way(page)
    with page.expect_request("**/files/upload*"):
        page.locator("#file").set_input_files(picture)
    continue_(page)
    expect(page.get_by_role("status").filter(has_text="when the file has arrived")).to_be_visible()
    officer.assert_accessible()
    held[0].continue_()
    expect(page.locator(".envelope")).to_contain_text("slow.png")


@pytest.mark.parametrize("left_out", [False, True])
def test_a_form_does_not_go_on_past_an_upload_that_failed(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path, left_out: bool
) -> None:
    picture = tmp_path / "cut.png"
    picture.write_bytes(x_ray((8, left_out, 90)))
    officer, page = finding_form(desk, trial)
    held = on_its_way(page)
    with page.expect_request("**/files/upload*"):
        page.locator("#file").set_input_files(picture)
    continue_(page)
    with officer.expecting("net::ERR_FAILED"):
        held[0].abort()
        expect(page.get_by_role("alert").filter(has_text="cut.png: The upload failed")).to_be_focused()
        officer.assert_accessible()
    continue_(page)
    expect(page.get_by_role("alert").filter(has_text="cut.png")).to_be_focused()
    if left_out:
        page.get_by_role("button", name="Leave this file out").click()
    else:
        page.unroute("**/files/upload*")
        page.locator("#file").set_input_files(picture)
    continue_(page)
    expect(page.locator(".envelope")).to_be_visible()
    assert page.get_by_text("cut.png").count() == (not left_out)


def test_a_form_whose_upload_is_left_out_goes_on_without_it(desk: Desks, trial: ConsoleTrial, tmp_path: Path) -> None:
    picture = tmp_path / "endless.png"
    picture.write_bytes(x_ray((9, 60, 90)))
    officer, page = finding_form(desk, trial)
    held = on_its_way(page)
    with page.expect_request("**/files/upload*"):
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
