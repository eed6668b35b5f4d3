"""Evidence files by the command, in a backup and under `gateway verify`; and what a preview says of an alert."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.short_ids import LEAST_CHARS
from gateway.trust.rules.directory import FieldClass, MessageType
from gateway.v1 import alert_pb2
from gateway.v1.options_pb2 import DisclosureClass
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, with_logs
from tests.support.files import KEPT, digest, picture, written


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Federation]:
    yield from with_logs(tmp_path, settings=KEPT)


def test_the_command_a_backup_and_verify(keeping: Federation, tmp_path: Path) -> None:
    keeping.start("cn")
    cli, content = Cli(keeping, "cn"), picture()
    path, sha = written(tmp_path, content), digest(content).hex()
    grounds = ("--purpose", "export_control", "--case", "CN-7")
    stored = cli.json("officer", "file", "put", path, *grounds, "--tells-of", "investigative")
    assert (stored["evidence"]["sha256"], stored["state"]) == (digest_in_json(content), "here")
    out = tmp_path / "out.jpg"
    for shown in (sha, sha[:LEAST_CHARS], f"{sha[:16]}…"):  # as the list and the console's pages have it
        out.unlink(missing_ok=True)
        cli.json("officer", "file", "get", shown, out, *grounds)
        assert out.read_bytes() == content
    unknown = ("0" if sha[0] != "0" else "1") * LEAST_CHARS
    assert "begins like this" in cli.run("officer", "file", "get", unknown, out, *grounds, code=2).stderr
    assert [file["state"] for file in cli.json("officer", "file", "list")] == ["here"]
    assert cli.json("officer", "file", "limits")["max_file_bytes"]

    backup = tmp_path / "backup"
    assert cli.json("", "backup", backup)["evidence_files"] == "included"
    assert (backup / "files" / sha[:2] / sha).read_bytes() == content
    assert json.loads((backup / "manifest.json").read_text())["evidence_files"] == "included"

    cli.run("", "verify")
    kept = keeping["cn"].data / "files" / sha[:2] / sha
    kept.write_bytes(content[:-1] + b"?")
    (finding,) = cli.json("", "verify", code=1)["findings"]
    assert sha in finding["place"]
    erased = cli.json("supervisor", "file", "erase", sha[:16], "--reason", "damaged")
    assert erased["state"] == "erased"
    cli.run("", "verify")


def digest_in_json(content: bytes) -> str:
    from base64 import b64encode

    return b64encode(digest(content)).decode()


def test_a_preview_says_who_would_get_what_and_publishes_nothing(keeping: Federation) -> None:
    old = keeping.directory
    changed = tuple(
        replace(
            one,
            field_classes=frozenset({FieldClass.INVESTIGATIVE}),
            message_types=one.message_types - {MessageType.FILE},
        )
        if (one.sender, one.recipient) == ("cn", "hk")
        else one
        for one in old.agreements
    )
    keeping.put_directory(replace(old, version=old.version + 1, agreements=changed))
    keeping.start("cn")
    personal = DisclosureClass.DISCLOSURE_CLASS_PERSONAL

    async def run() -> None:
        async with keeping.client("cn", "publisher") as risk:
            content = alert()
            content.subject.parties.add().names.add(text="Chan Tai Man")
            content.subject.equipment[0].id = "CSQU3054380"
            preview = await risk.preview(content, ["hk", "mo", "nowhere"])
            assert not preview.violations
            assert [notice.code for notice in preview.notices] == ["check_digit"]
            hk, mo, nowhere = preview.recipients
            assert (hk.allowed, mo.allowed, nowhere.allowed) == (False, True, False)
            assert "PERSONAL" in hk.refusal
            assert "isn't a partner" in nowhere.refusal
            assert [(field.path, field.allowed) for field in hk.fields if field.disclosure_class == personal] == [
                ("subject.parties[0].names[0].text", False)
            ]
            assert not hk.disclosable.subject.parties[0].names[0].text
            assert mo.disclosable == content
            assert (hk.files_allowed, mo.files_allowed) == (False, True)
            assert {one.recipient for one in preview.agreements} == {"hk", "mo"}

            bad = await risk.preview(alert_pb2.AlertContent(), ["mo"])
            assert {"content.priority", "content.subject", "content.legal_basis"} <= {
                one.field for one in bad.violations
            }
            assert not bad.recipients[0].allowed
            assert [one async for one in risk.list_alerts()] == []

    keeping.run(run())
