"""Files in the console: a picture attached to a finding, seen by the partner as a copy, and what else a file may be."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import Page, expect

from gateway.client import AlertReference
from tests.support.console.desk import Desks
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
