"""An authority signs a revocation on an offline machine, its operator gives it to a node, and both see what it does."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import Result

from gateway.node.directory_store import DirectoryStore, KeptVersions, pinned_anchors
from gateway.tls.certificates import inspect_ca, inspect_certificate
from tests.support.command_line import Cli
from tests.support.federation import Federation


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three nodes of which none runs; cn and hk have accepted their first version."""
    with Federation(tmp_path_factory.mktemp("nodes")) as made:
        for name in ("cn", "hk"):
            store(made, name)
        yield made


def store(nodes: Federation, name: str) -> DirectoryStore:
    """What a node makes of its folder when it starts."""
    settings = nodes[name].settings
    kept, now = KeptVersions(settings.data_dir), datetime.now(UTC)
    return DirectoryStore(settings.directory.file, kept=kept, anchors=pinned_anchors(settings), now=now)


def arguments(nodes: Federation, *options: object, by: str = "mo") -> tuple[object, ...]:
    key = nodes.folder.directory_key(by)
    return (
        *("directory", "revoke-now", nodes.folder.directory, "--authority", by, "--directory-key", key),
        *("--reason", "stolen at the quay", *options),
    )


def refused(nodes: Federation, *words: object, node: str = "hk") -> str:
    result = Cli(nodes, node).run("", *words, code=None)
    assert result.exit_code in (2, 3), result.output
    assert "Way out: " in result.stderr
    return result.stderr


def certificate(nodes: Federation, node: str = "mo", system: str = "officer") -> Path:
    return nodes.folder.node(node).system_certificate(system)


def warned(result: Result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]


def test_what_is_signed_is_shown_asked_for_and_warned_of(nodes: Federation, tmp_path: Path) -> None:
    cli, out = Cli(nodes, "hk"), tmp_path / "mo.note"
    lost = certificate(nodes)
    declined = cli.run("", *arguments(nodes, "--certificate", lost, "--out", out), text="n\n", code=None)
    assert "nothing was signed" in declined.output
    assert not out.exists()
    fingerprint = inspect_certificate(lost.read_bytes()).fingerprint_sha256
    signed = cli.run("", *arguments(nodes, "--certificate", lost, "--out", out), text="y\n")
    assert fingerprint in signed.stdout
    (warning,) = warned(signed)
    assert "no other certificate of spiffe://" in warning
    assert "/system/mo/officer is at hand" in warning
    key = nodes.directory.nodes["mo"].log_keys[0].public_key
    more = ("--key", base64.b64encode(key).decode(), "--certificate", nodes.folder.node("mo").ca)
    made = cli.run("", *arguments(nodes, *more, "--yes", "--out", tmp_path / "more.note"))
    assert ["no log key of mo is left" in line or "certificate of CA of mo" in line for line in warned(made)] == [
        True
    ] * 2
    shown = cli.json("", *arguments(nodes, *more, "--yes", "--out", tmp_path / "json.note"))
    ca = inspect_ca(nodes.folder.node("mo").ca.read_bytes()).fingerprint_sha256
    assert shown["revoked"][0] == f"CA of mo: {ca}"
    assert shown["revoked"][1].startswith("log key of mo, from ")
    assert (shown["authority"], shown["reason"]) == ("mo", "stolen at the quay")


def test_only_what_is_its_own_is_signed(nodes: Federation, tmp_path: Path) -> None:
    out = ("--yes", "--out", tmp_path / "x.note")
    assert "isn't mo's" in refused(nodes, *arguments(nodes, "--certificate", certificate(nodes, "hk"), *out))
    key = base64.b64encode(nodes.directory.nodes["hk"].log_keys[0].public_key).decode()
    assert "no log or receipts key of mo" in refused(nodes, *arguments(nodes, "--key", key, *out))
    other = tuple(
        nodes.folder.directory_key("hk") if word == nodes.folder.directory_key("mo") else word
        for word in arguments(nodes, "--certificate", certificate(nodes), *out)
    )
    assert "with another key than directory version 1 names" in refused(nodes, *other)
    assert "at least one" in refused(nodes, *arguments(nodes, *out))
    since = ("--certificate", certificate(nodes), "--since", "2026-01-15T08:00:00")
    assert "--since is for keys" in refused(nodes, *arguments(nodes, *since, *out))
    assert not (tmp_path / "x.note").exists()


def test_a_node_is_given_it_and_shows_it_until_a_version_says_it(nodes: Federation, tmp_path: Path) -> None:
    cli, note, lost = Cli(nodes, "hk"), tmp_path / "mo.note", certificate(nodes, system="analyst")
    fingerprint = inspect_certificate(lost.read_bytes()).fingerprint_sha256
    cli.run("", *arguments(nodes, "--certificate", lost, "--yes", "--out", note))
    assert cli.json("", "directory", "show")["revoked_by_owners"] == []
    tampered = tmp_path / "tampered.note"
    tampered.write_bytes(note.read_bytes().replace(b"quay", b"pier"))
    assert "step 2 signature" in refused(nodes, "directory", "take-revocation", tampered)
    taken = cli.json("", "directory", "take-revocation", note)
    assert (taken["authority"], taken["reason"]) == ("mo", "stolen at the quay")
    (shown,) = cli.json("", "directory", "show")["revoked_by_owners"]
    assert (shown["certificates"], shown["sha256"], shown["keys"]) == ([fingerprint], taken["sha_256"], [])
    assert "stolen at the quay" in cli.run("", "directory", "show").stdout
    assert fingerprint in store(nodes, "hk").directory().revoked_certificates
    assert fingerprint not in store(nodes, "cn").directory().revoked_certificates, "it was given to hk alone"
    assert "revoked_by_owners" not in cli.json("", "directory", "show", nodes.folder.directory)


def test_one_that_the_directory_says_already_is_not_given(nodes: Federation, tmp_path: Path) -> None:
    note, lost = tmp_path / "mo.note", certificate(nodes, system="publisher")
    Cli(nodes, "cn").run("", *arguments(nodes, "--certificate", lost, "--yes", "--out", note))
    fingerprint = inspect_certificate(lost.read_bytes()).fingerprint_sha256
    nodes.put_directory(replace(nodes.directory, version=2, revoked_certificates=frozenset({fingerprint})))
    store(nodes, "cn")
    assert "says all of it already" in refused(nodes, "directory", "take-revocation", note, node="cn")
    assert "says all of it already" not in refused(nodes, "directory", "take-revocation", tmp_path / "none", node="cn")


@pytest.mark.parametrize("command", ["revoke-now", "take-revocation"])
def test_help_has_an_example(nodes: Federation, command: str) -> None:
    assert f"gateway directory {command}" in Cli(nodes, "hk").run("", "directory", command, "--help").stdout
