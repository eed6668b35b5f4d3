"""Files on their way into a form: in parts, several, paused, cut off, refused; and the journey of a photograph."""

from __future__ import annotations

import io
import json
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from gateway.client import AlertReference
from gateway.console.server.security import csrf_token
from gateway.console.spool import OF_A_PERSON, PART_BYTES
from gateway.v1.file_pb2 import FileState
from tests.console.test_files import PARTS, continue_, finding_form, on_its_way, publish, x_ray
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial, Office
from tests.support.console.visitor import HOME, Answer, Visitor
from tests.support.federation import eventually
from tests.support.files import GROUNDS, digest, in_state, picture, read

SLOW_LINE = 100_000
"""Bytes a second."""

PUT_FILE = "/gateway.v1.FileService/PutFile"


def photograph(path: Path, seed: int, kilobytes: int = 300) -> bytes:
    """Writes a JPEG of about so many kB, as a telephone makes them: all noise."""
    side = int((kilobytes * 1_000 / 0.77) ** 0.5)
    noise = random.Random(seed).randbytes(side * side * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), noise).save(out, "JPEG", quality=85)
    path.write_bytes(out.getvalue())
    return out.getvalue()


@dataclass
class Line:
    """The browser's line to the console, by Chromium's own network emulation."""

    page: Page

    def __post_init__(self) -> None:
        self._session = self.page.context.new_cdp_session(self.page)
        self._session.send("Network.enable")

    def set(self, bytes_per_s: int = -1, *, offline: bool = False) -> None:
        """How much it takes a second, -1 without a bound; `offline` is none at all."""
        conditions = {"offline": offline, "latency": 20 if bytes_per_s > 0 else 0}
        rates = {"downloadThroughput": bytes_per_s, "uploadThroughput": bytes_per_s}
        self._session.send("Network.emulateNetworkConditions", {**conditions, **rates})


@dataclass
class Hand:
    """Clicks on what somebody sees, by role and label, and counts."""

    page: Page
    clicks: int = 0

    def click(self, target: Locator) -> None:
        self.clicks += 1
        target.click()


def row(page: Page, name: str) -> Locator:
    """A file that is on its way."""
    return page.locator("li.upload").filter(has_text=name)


def attached(page: Page, name: str) -> Locator:
    """The box of a file that the gateway has."""
    return page.get_by_role("checkbox", name=name)


def choose(page: Page, *files: Path) -> None:
    page.locator("#file").set_input_files(list(files))


@contextmanager
def offsets(page: Page) -> Iterator[list[int]]:
    """Where the parts began that the console has taken."""
    taken: list[int] = []

    def note(response: object) -> None:
        found = re.search(r"/upload\?offset=(\d+)", response.url)  # type: ignore[attr-defined]
        if found and response.status == 200:  # type: ignore[attr-defined]
            taken.append(int(found[1]))

    page.on("response", note)
    yield taken
    page.remove_listener("response", note)


def uploads(trial: ConsoleTrial, node: str, sha256: bytes) -> int:
    """How often a node has taken a file, by its audit log."""

    async def count() -> int:
        async with trial.federation.client(node, "auditor") as auditor:
            events = auditor.evidence.audit_events(filter=f'method = "{PUT_FILE}"')
            return sum([event.details["subject_ids"] == sha256.hex() async for event in events])

    return trial.run(eventually(count, what="an upload in the audit log"))


def test_a_photograph_goes_with_a_finding_on_a_slow_line_in_five_clicks_and_arrives(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    content = photograph(tmp_path / "open container.jpg", seed=1)
    assert 250_000 < len(content) < 350_000
    reference = publish(trial)
    officer = desk("hk", "officer")
    page = officer.open(f"/alerts/cn/{reference.alert_id}")
    Line(page).set(SLOW_LINE)
    hand = Hand(page)
    hand.click(page.get_by_role("link", name="Report a finding"))
    hand.click(page.get_by_role("group", name="What did the inspection find?").get_by_role("radio").first)
    with page.expect_file_chooser() as chooser:
        hand.click(page.get_by_label("Add files"))
    began_s = time.monotonic()
    chooser.value.set_files(tmp_path / "open container.jpg")
    hand.click(page.get_by_role("button", name="Continue"))
    hand.click(page.get_by_role("button", name="Send the finding"))
    expect(page.get_by_text("Your finding is on its way.")).to_be_visible()
    assert hand.clicks <= 5
    assert time.monotonic() - began_s > 2, "the line wasn't slow"
    trial.run(arrived(trial, reference, content))


async def arrived(trial: ConsoleTrial, reference: AlertReference, content: bytes) -> None:
    """The gateway has the same bytes; the partner sees name and digest, and gets them."""
    sha256 = digest(content)
    async with trial.federation.client("hk", "officer") as hk, trial.federation.client("cn", "officer") as cn:
        assert await read(hk, sha256) == content

        async def named() -> bool:
            files = await cn.files.of_alert(reference)
            return [one.file.evidence.file_name for one in files if one.file.evidence.sha256 == sha256] == [
                "open container.jpg"
            ]

        await eventually(named, what="the photograph's name at cn")
        await cn.files.request(sha256, reference, **GROUNDS)
        await in_state(cn, sha256, FileState.FILE_STATE_HERE)
        assert await read(cn, sha256) == content


def test_several_files_go_one_after_another_each_with_a_row_and_a_small_picture(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    first, second = tmp_path / "left.jpg", tmp_path / "right.jpg"
    contents = [photograph(first, seed=2), photograph(second, seed=3)]
    officer, page = finding_form(desk, trial)
    on_its_way(page)
    with page.expect_request(PARTS):
        choose(page, first, second)
    expect(row(page, "left.jpg").get_by_role("progressbar")).to_be_visible()
    expect(row(page, "left.jpg").locator("canvas")).to_be_visible()
    expect(row(page, "right.jpg")).to_contain_text("waits for its turn")
    expect(row(page, "right.jpg").locator("canvas")).to_be_visible()
    colours = "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, 192, 144).data).size"
    assert row(page, "right.jpg").locator("canvas").evaluate(colours) > 20
    officer.assert_accessible()
    continue_(page)
    page.unroute(PARTS)
    for name in ("left.jpg", "right.jpg"):
        expect(page.locator(".envelope")).to_contain_text(name)
    assert [uploads(trial, "hk", digest(content)) for content in contents] == [1, 1]


def test_an_upload_pauses_between_parts_and_goes_on_where_it_was(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    content = photograph(tmp_path / "large.jpg", seed=4, kilobytes=700)
    officer, page = finding_form(desk, trial)
    on_its_way(page)
    with offsets(page) as taken:
        with page.expect_request(PARTS):
            choose(page, tmp_path / "large.jpg")
        row(page, "large.jpg").get_by_role("button", name="Pause").click()
        expect(row(page, "large.jpg")).to_contain_text("paused")
        with page.expect_response(PARTS):
            page.unroute(PARTS)
        continue_(page)
        go_on = row(page, "large.jpg").get_by_role("button", name="Go on")
        expect(go_on).to_be_focused()
        officer.assert_accessible()
        assert taken == [0]
        go_on.click()
        expect(page.locator(".envelope")).to_contain_text("large.jpg")
        assert taken[0:2] == [0, 256 * 1024]
        assert sorted(set(taken)) == taken
    assert uploads(trial, "hk", digest(content)) == 1


def test_an_upload_goes_on_by_itself_after_the_line_was_gone(desk: Desks, trial: ConsoleTrial, tmp_path: Path) -> None:
    content = photograph(tmp_path / "far.jpg", seed=5, kilobytes=900)
    officer, page = finding_form(desk, trial)
    line = Line(page)
    line.set(4 * SLOW_LINE)
    with offsets(page) as taken, officer.expecting("net::ERR_INTERNET_DISCONNECTED"):
        with page.expect_response(PARTS):
            choose(page, tmp_path / "far.jpg")
        line.set(offline=True)
        expect(row(page, "far.jpg")).to_contain_text("The line is broken")
        officer.assert_accessible()
        continue_(page)
        before = list(taken)
        line.set()
        expect(page.locator(".envelope")).to_contain_text("far.jpg")
    assert before
    assert sorted(set(taken)) == taken, "a part came twice"
    assert uploads(trial, "hk", digest(content)) == 1


def test_an_upload_goes_on_by_a_button_and_after_a_line_that_is_silent(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    photograph(tmp_path / "silent.jpg", seed=6)
    officer, page = finding_form(desk, trial)
    page.clock.install()
    held = on_its_way(page)
    with officer.expecting("net::ERR_ABORTED"):
        with page.expect_request(PARTS):
            choose(page, tmp_path / "silent.jpg")
        expect(row(page, "silent.jpg")).to_contain_text("Uploading")
        expect(page.locator("a.bell.htmx-request")).to_have_count(0)  # it would run out of time too
        page.clock.fast_forward(31_000)
        expect(row(page, "silent.jpg")).to_contain_text("The line is broken")
        held[0].abort()
        page.unroute(PARTS)
        row(page, "silent.jpg").get_by_role("button", name="Try again").click()
        expect(attached(page, "silent.jpg")).to_be_checked()


def test_a_console_that_was_started_anew_gets_a_file_from_its_beginning(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    photograph(tmp_path / "again.jpg", seed=7)
    officer, page = finding_form(desk, trial)
    with officer.expecting("status of 404"):
        page.route(PARTS, lambda route: route.fulfill(status=404), times=1)  # it has forgotten what it has of the file
        choose(page, tmp_path / "again.jpg")
        expect(attached(page, "again.jpg")).to_be_checked()


def test_the_second_of_two_files_that_is_refused_stops_the_form(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    photograph(tmp_path / "good.jpg", seed=8)
    (tmp_path / "bad.jpg").write_text("<html></html>")
    officer, page = finding_form(desk, trial)
    with officer.expecting("status of 422"):
        choose(page, tmp_path / "good.jpg", tmp_path / "bad.jpg")
        continue_(page)
        refused = page.get_by_role("alert").filter(
            has_text="bad.jpg: it doesn't begin as a file of the type image/jpeg"
        )
        expect(refused).to_be_visible()
        expect(attached(page, "good.jpg")).to_be_checked()
        expect(refused).to_be_focused()
        officer.assert_accessible()
    continue_(page)
    expect(refused).to_be_focused()
    row(page, "bad.jpg").get_by_role("button", name="Leave this file out").click()
    continue_(page)
    expect(page.locator(".envelope")).to_contain_text("good.jpg")
    expect(page.locator(".envelope")).not_to_contain_text("bad.jpg")


def test_a_file_that_is_too_large_is_refused_before_a_byte_of_it_leaves(
    desk: Desks, trial: ConsoleTrial, tmp_path: Path
) -> None:
    photograph(tmp_path / "too large.jpg", seed=9)
    officer, page = finding_form(desk, trial)
    page.locator("[data-attach]").evaluate("field => { field.dataset.most = '1000'; }")
    choose(page, tmp_path / "too large.jpg")
    expect(page.get_by_role("alert").filter(has_text="too large.jpg: The file is too large.")).to_be_visible()
    officer.assert_accessible()


@dataclass
class Sender:
    """Sends parts without a browser."""

    visitor: Visitor

    @classmethod
    def of(cls, trial: ConsoleTrial, node: str, person: str) -> Sender:
        return cls(Visitor.with_session(trial[node], trial.session(node, person)))

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        office: Office = self.visitor.office
        token = csrf_token(self.visitor.cookies[office.cookie])
        return self.visitor.send(method, path, body, **{"Origin": office.origin, "X_CSRF_Token": token} | headers)

    def begin(self, size: int, media_type: str = "image/jpeg") -> Answer:
        about = {"X_File_Name": "by%20hand.jpg", "X_File_Type": media_type, "X_File_Size": str(size)}
        return self.send("POST", "/files/upload", b"", **about)

    def part(self, token: str, offset: int | str, body: bytes) -> Answer:
        return self.send("POST", f"/files/{token}/upload?offset={offset}&purpose=export_control", body)


def said(answer: Answer) -> dict[str, object]:
    found: dict[str, object] = json.loads(answer.text)
    return found


@pytest.fixture
def sender(trial: ConsoleTrial) -> Sender:
    return Sender.of(trial, "hk", "officer")


def begun(sender: Sender, size: int) -> str:
    return str(said(sender.begin(size))["token"])


def test_a_part_that_doesn_t_fit_is_left_out_and_told_where_it_would(sender: Sender) -> None:
    content = picture(20_000, seed=21)
    token = begun(sender, len(content))
    assert said(sender.part(token, 0, content[:5_000])) == {"offset": 5_000}
    for offset in (0, 4_999, 5_001, 20_000, -1, "x", 10**20):
        answer = sender.part(token, offset, content[5_000:6_000])
        assert (answer.status, said(answer)) == (409, {"offset": 5_000}), offset
    assert sender.part(token, 5_000, content + b"more").status == 413
    assert said(sender.send("GET", f"/files/{token}/upload")) == {"offset": 5_000}
    done = sender.part(token, 5_000, content[5_000:])
    assert said(done)["digest"] == digest(content).hex()
    assert said(done)["name"] == "by hand.jpg"
    assert "isn't a picture of its type" in str(said(done)["remark"])


def test_an_answer_that_was_lost_is_given_again_and_the_gateway_has_the_file_once(
    trial: ConsoleTrial, sender: Sender
) -> None:
    content = picture(5_000, seed=22)
    token = begun(sender, len(content))
    done = said(sender.part(token, 0, content))
    assert said(sender.send("GET", f"/files/{token}/upload")) == done
    assert said(sender.part(token, len(content), b"")) == done
    assert said(sender.part(token, 0, content)) == done
    assert uploads(trial, "hk", digest(content)) == 1


def test_a_file_that_is_coming_is_its_person_s_alone(trial: ConsoleTrial, sender: Sender) -> None:
    content = picture(5_000, seed=23)
    token = begun(sender, len(content))
    colleague = Sender.of(trial, "hk", "colleague")
    for answer in (
        colleague.part(token, 0, content),
        colleague.send("GET", f"/files/{token}/upload"),
        colleague.send("DELETE", f"/files/{token}/upload"),
        sender.part("AAAA", 0, content),
    ):
        assert answer.status == 404
    assert said(sender.send("GET", f"/files/{token}/upload")) == {"offset": 0}
    assert sender.send("DELETE", f"/files/{token}/upload").status == 204
    assert sender.part(token, 0, content).status == 404


def test_parts_come_from_a_page_of_the_session(trial: ConsoleTrial, sender: Sender) -> None:
    token, path = begun(sender, 100), "/files/{}/upload?offset=0"
    for headers in (
        {"X_CSRF_Token": ""},
        {"X_CSRF_Token": "wrong"},
        {"Origin": "https://evil.example"},
        {"X_CSRF_Token": Sender.of(trial, "hk", "colleague").visitor.csrf(HOME)},
    ):
        for method, place in (
            ("POST", path.format(token)),
            ("DELETE", f"/files/{token}/upload"),
            ("POST", "/files/upload"),
        ):
            assert sender.send(method, place, b"a" * 100, **headers).status == 403, (method, place, headers)
    stranger = Visitor(trial["hk"])
    with suppress(ConnectionError):  # it answers without reading on, and closes: what still comes may meet that first
        assert stranger.send("POST", path.format(token), b"a" * 600_000, Origin=trial["hk"].origin).status == 401
    assert Visitor(trial["hk"]).send("POST", path.format(token), b"a", Origin=trial["hk"].origin).status == 403
    assert said(sender.send("GET", f"/files/{token}/upload")) == {"offset": 0}


def test_what_the_gateway_wouldn_t_take_is_refused_at_once(sender: Sender) -> None:
    for answer, words in (
        (sender.begin(100, "text/html"), "files of the type 'text/html' aren't taken"),
        (sender.begin(10**12), "a file may have at most"),
    ):
        assert answer.status == 422
        assert words in str(said(answer)["problem"])
    for size in ("", "-1", "1.5", "1" * 16):
        assert sender.send("POST", "/files/upload", b"", X_File_Type="image/jpeg", X_File_Size=size).status == 400
    token = begun(sender, 3 * PART_BYTES)
    assert sender.part(token, 0, bytes(PART_BYTES + 1)).status == 413
    assert said(sender.send("GET", f"/files/{token}/upload")) == {"offset": 0}


def test_a_file_that_the_gateway_refuses_is_gone(sender: Sender) -> None:
    token = begun(sender, 6)
    answer = sender.part(token, 0, b"<html>")
    assert answer.status == 422
    assert "doesn't begin as a file of the type" in str(said(answer)["problem"])
    assert sender.send("GET", f"/files/{token}/upload").status == 404


def test_of_one_person_few_files_are_coming(trial: ConsoleTrial) -> None:
    sender = Sender.of(trial, "hk", trial.run(trial["hk"].newcomer("officer")))
    tokens = [begun(sender, 100) for _ in range(OF_A_PERSON + 1)]
    answers = [sender.send("GET", f"/files/{token}/upload").status for token in tokens]
    assert answers == [404] + [200] * OF_A_PERSON


def test_the_same_file_twice_in_a_form_is_one(desk: Desks, trial: ConsoleTrial, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(x_ray((31, 1, 1)))
    _officer, page = finding_form(desk, trial)
    for _ in range(2):
        choose(page, tmp_path / "one.png")
        expect(page.locator("li.upload")).to_have_count(0)
        expect(attached(page, "one.png")).to_be_checked()
    expect(attached(page, "one.png")).to_have_count(1)
