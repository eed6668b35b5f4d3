"""Keys are made in tokens by commands: a node's go into its card, a directory key signs a version."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.trust.service.trial_federation import FEDERATION, MemberSpec, create_federation
from tests.support.tokens import MODULE, PIN, SoftToken, needs_softhsm

pytestmark = needs_softhsm


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    made = SoftToken(tmp_path / "token", "offline")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def run(*words: object, text: str | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "240"}).invoke(app, [str(word) for word in words], input=text)


def ok(*words: object) -> Any:
    result = run(*words, "--json", text=f"{PIN}\n")
    assert result.exit_code == 0, result.output
    assert PIN not in result.output
    return json.loads(result.stdout)


def generate(token: SoftToken, label: str, *more: object) -> Any:
    return ok("keys", "generate", "--token", token.uri(label), "--module", MODULE, *more)


def test_a_card_takes_public_keys_of_tokens(token: SoftToken, tmp_path: Path) -> None:
    root = tmp_path / "federation"
    create_federation(
        root, [MemberSpec("cn", peer_port=1, local_port=2, systems={})], now=datetime.now(UTC), threshold=1
    )
    pki = root / "cn" / "pki"
    made = {}
    for use in ("log", "log.next", "receipts"):
        (pki / "keys" / f"{use}.pem").unlink(missing_ok=True)
        made[use] = generate(token, use, "--out", pki / "keys" / f"{use}.pub")["public_key"]
    directory_key = generate(token, "directory", "--authority", "cn", "--federation", FEDERATION)
    vkey = tmp_path / "directory.vkey"
    vkey.write_text(directory_key["vkey"])
    names = ("--node", "cn", "--federation", FEDERATION, "--pki", pki, "--directory-key", vkey)
    ok("directory", "card", *names, "--endpoint", "a:1", "--name", "en=Customs", "--out", tmp_path / "cn.json")
    node = json.loads((tmp_path / "cn.json").read_text())["node"]
    assert [key["public_key"] for key in node["log_keys"]] == [made["log"], made["log.next"]]
    assert [key["public_key"] for key in node["cosign_keys"]] == [made["receipts"]]

    draft, note = tmp_path / "directory.json", tmp_path / "directory.note"
    ok("directory", "draft", tmp_path / "cn.json", "--out", draft)
    words = ("directory", "sign", draft, "--authority", "cn", "--token", token.uri("directory"), "--module", MODULE)
    assert ok(*words, "--yes")["signatures"] == [f"{FEDERATION}/cn/directory"]
    assert ok("directory", "verify", note, "--anchor", vkey)["anchored"] is True

    revocation = ("directory", "revoke-now", note, "--authority", "cn", "--key", made["log"], "--reason", "seen")
    by_token = ("--token", token.uri("directory"), "--module", MODULE, "--out", tmp_path / "cn.note", "--yes")
    assert ok(*revocation, *by_token)["authority"] == "cn"


def test_another_key_than_the_directory_names_signs_nothing(token: SoftToken, tmp_path: Path) -> None:
    folder = create_federation(
        tmp_path / "f",
        [MemberSpec("cn", peer_port=1, local_port=2, systems={})],
        now=datetime.now(UTC),
        threshold=1,
    ).directory
    generate(token, "directory")
    words = ("directory", "sign", folder, "--authority", "cn", "--module", MODULE, "--yes")
    wrong = run(*words, "--token", token.uri("directory"), text=f"{PIN}\n")
    assert (wrong.exit_code, "names another key" in wrong.output) == (2, True)
    neither = run(*words)
    assert (neither.exit_code, "--token" in neither.output) == (2, True)
    absent = run(*words, "--token", token.uri("other"), text=f"{PIN}\n")
    assert "no Ed25519 key other" in absent.output


def test_a_wrong_pin_is_refused_once_and_not_asked_for_again(token: SoftToken) -> None:
    words = ("keys", "generate", "--token", token.uri("log"), "--module", MODULE)
    refused = run(*words, text="000000\n111111\n")
    assert refused.exit_code == 2
    assert refused.output.count("PIN of token") == 1
    assert "refused the PIN" in refused.output
    assert "000000" not in refused.output


def test_a_pin_comes_from_a_file_that_others_cannot_read(token: SoftToken, tmp_path: Path) -> None:
    file = tmp_path / "pin"
    file.write_text(PIN)
    file.chmod(0o644)
    words = ("keys", "generate", "--token", token.uri("log"), "--module", MODULE, "--pin-file", file, "--json")
    assert "open to group or others" in run(*words).output
    file.chmod(0o600)
    made = json.loads(run(*words).stdout)
    assert len(base64.b64decode(made["public_key"])) == 32


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--token", "log.pem", "--module", MODULE), "--token: a key in a token reads"),
        (("--token", "pkcs11:token=offline;object=log"), "--module"),
        (("--token", "pkcs11:token=other;object=log", "--module", MODULE), "token other"),
    ],
)
def test_what_is_wrong_is_named(token: SoftToken, options: tuple[object, ...], problem: str) -> None:
    refused = run("keys", "generate", *options, text=f"{PIN}\n")
    assert refused.exit_code == 2
    assert problem in refused.output
