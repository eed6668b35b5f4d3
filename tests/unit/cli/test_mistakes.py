"""Mistakes that strangers make: each message says what happened, and has one step that fits.

Those that need a running gateway are in tests/scenario/test_mistakes_at_a_gateway.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.errors import ConfigurationError
from tests.support.forked_commands import forked_commands

RAW = re.compile(
    r"Traceback|ipv4:|_ssl\.c|\.cc?:\d+|errno|grpc_status|pydantic|google\.protobuf|gateway\.v1\.|0x[0-9a-f]{6}"
)
"""What people shouldn't have to read."""

ID = "019bbf30-0000-7000-8000-000000000000"
ASK = ("--purpose", "export_control", "--legal-basis", "Art. 5", "--case", "C-1")


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes")
    made = CliRunner().invoke(app, ["trial", str(folder / "n"), "--no-start"])
    assert made.exit_code == 0, made.output
    return folder


@pytest.fixture
def place(trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to make mistakes in: three nodes' files, and files that aren't right."""
    shutil.copytree(trial / "n", tmp_path / "n")
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(result: Result) -> tuple[str, str]:
    """What happened, and the next step."""
    lines = result.stderr.splitlines()
    (error,) = [line for line in lines if line.startswith("Error: ")]
    (way_out,) = [line for line in lines if line.startswith("Way out: ")]
    return error.removeprefix("Error: "), way_out.removeprefix("Way out: ")


def run(*words: str, **environment: str) -> Result:
    return CliRunner(env={"GATEWAY_CONFIG": "", **environment}).invoke(app, list(words))


def ok(result: Result, message: str, step: str) -> None:
    assert result.exit_code in (1, 2), result.output
    error, way_out = told(result)
    assert message in error
    assert step in way_out
    assert not RAW.search(result.stderr), result.stderr
    if "gateway.toml" not in error:
        assert way_out != ConfigurationError.way_out, "nothing is a setting here"


FILES = {
    "broken.json": b"{broken",
    "latin.json": '{"legal_basis": "Lei n.º 5"}'.encode("latin-1"),
    "list.json": b"[1, 2]",
    "twice.json": b'{"purpose": "a", "purpose": "b"}',
    "unknown.json": b'{"priorty": "A"}',
    "enum.json": b'{"priority": "urgent"}',
    "enums.json": b'{"requested_action": "inspct"}',
    "date.json": b'{"valid_until": "2026-13-01T00:00:00Z"}',
    "zone.json": b'{"valid_until": "2026-01-15T08:00:00"}',
    "nested.json": b'{"goods": [{"net_mass_kg": "heavy"}]}',
    "camel.json": b'{"handling": {"onwardTransfr": "prohibited"}}',
    "kind.json": b'{"kind": "persn", "names": [{"text": "X"}]}',
    "empty.csv": b"",
    "header.csv": b"case_reference,priority\n",
    "misspelt.csv": b"case_reference,typologys\nA,concealment\n",
    "western.csv": "case_reference,narrative_pt\nA,descrição do contentor\n".encode("cp1252"),
    "western head.csv": "número,narrative_pt\nA,x\n".encode("cp1252"),
    "workbook.xlsx": b"PK\x03\x04\x14\0\x08\0",
    "workbook.csv": b"PK\x03\x04\x14\0\x08\0",
    "old.csv": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "packed.csv": b"\x1f\x8b\x08\0",
    "empty.json": b"",
    "colour.csv": b"colour\nred\n",
    "two.csv": b"case_reference,case_reference\nA,B\n",
    "shipments.csv": b"record_id,procedure,declared_at\nA-1,exprt,2026-01-10T12:00:00+08:00\n",
    "mapping.toml": b'[columns]\nrecord_id = "R"\ncolour = "C"\n',
    "notoml.toml": b"[columns\n",
    "lines.jsonl": b"{}\n",
    "picture.png": b"\x89PNG\r\n\x1a\n\x00\x00",
    "empty.zip": b"",
    "passphrase.txt": b"secret\n",
}

CN = ("--config", "n/cn/gateway.toml")
TO = ("--to", "hk")
PUBLISH = ("alert", "publish")

MISTAKES: dict[str, tuple[tuple[str, ...], str, str]] = {
    # words that aren't there
    "unknown group": (("alret", "list"), "no command `gateway alret`", "Did you mean alert?"),
    "unknown command": (("alert", "lst"), "no command `gateway alert lst`", "Did you mean list?"),
    "like two letters alone": (("alert", "list", "--to", "hk"), "has no option --to", "gateway alert list --help"),
    "header alone": ((*PUBLISH, "header.csv", *TO, "--dry-run"), "has a header and no line below it", "Add the lines"),
    "column misspelt": ((*PUBLISH, "misspelt.csv", *TO), "'typologys'; did you mean 'typologies'?", "the first line"),
    "western header": (
        (*PUBLISH, "western head.csv", *TO),
        "--encoding cp1252 reads 'número'",
        "Correct the header, the first line",
    ),
    "workbook": ((*PUBLISH, "workbook.xlsx", *TO), "workbook.xlsx is a workbook", "Save it there as CSV in UTF-8"),
    "workbook named as CSV": ((*PUBLISH, "workbook.csv", *TO), "workbook.csv is a workbook", "as CSV in UTF-8"),
    "workbook of the past": (("history", "import", "old.csv", "--dry-run"), "old.csv is a workbook", "as CSV in UTF-8"),
    "workbook as a list": (
        ("watchlist", "import", "workbook.xlsx", "--list", "minerals", "--dry-run"),
        "workbook.xlsx is a workbook",
        "as CSV in UTF-8",
    ),
    "packed": ((*PUBLISH, "packed.csv", *TO), "packed.csv is compressed by gzip", "Unpack it"),
    "empty table": ((*PUBLISH, "empty.csv", *TO), "empty.csv is empty", "Give a file with at least one line."),
    "empty JSON": ((*PUBLISH, "empty.json", *TO), "empty.json is empty", "Give a file with at least one line."),
    "nothing like it": (("alert", "qqq"), "no command `gateway alert qqq`", "Commands are publish, list, show"),
    "unknown option": (("alert", "list", "--fliter", "x"), "has no option --fliter", "Did you mean --filter?"),
    "strange option": (("alert", "list", "--zzz"), "has no option --zzz", "gateway alert list --help"),
    "no argument": (("alert", "ack"), "ALERT is missing", "gateway alert ack --help"),
    "no second argument": (("alert", "ask", ID), "TEXT is missing", "gateway alert ask --help"),
    "no option": (("alert", "flag", ID, "--reason", "other"), "--explanation is missing", "alert flag --help"),
    "too many": (("alert", "list", "extra"), "extra", "gateway alert list --help"),
    "twice": (("alert", "list", "--limit", "1", "--limit", "2"), "--limit takes one value", "--help"),
    "no value": (("alert", "list", "--limit"), "--limit", "--help"),
    "not a number": (("alert", "list", "--limit", "ten"), "--limit: must be a whole number", "--help"),
    "below": (("alert", "list", "--limit", "-1"), "--limit: must be at least 0", "--help"),
    "above": (("history", "search", "--limit", "100000"), "--limit: must be at most 10000", "--help"),
    "not a time span": (("history", "search", "--partner-timeout", "soon"), "must be a number", "--help"),
    # values of options
    "unknown format": (("watchlist", "export", "--list", "x", "--format", "cvs"), "'cvs' is not one of", "mean csv?"),
    "strange format": (("watchlist", "export", "--list", "x", "--format", "ofac"), "is not one of", "one of these"),
    "unknown reason": (
        ("alert", "flag", ID, "--reason", "allready_left", "--explanation", "x"),
        "isn't one of already_left, not_found",
        "Did you mean already_left?",
    ),
    "unknown result": (("alert", "finding", ID, "--result", "maybe"), "isn't one of confirmed", "Give one of these."),
    "unknown outcome": (("alert", "close", ID, "--outcome", "confirmd"), "isn't one of", "Did you mean confirmed?"),
    "unknown kind": (("watchlist", "list", "--kind", "persn"), "isn't one of organisation, person", "mean person?"),
    "unknown severity": (("history", "risks", "--severity", "hgh"), "isn't one of", "Did you mean high?"),
    "unknown procedure": (("history", "search", "--procedure", "exort", *ASK), "'exort' isn't one of", "mean export?"),
    "deadline without zone": (
        ("alert", "ask", ID, "Why?", "--deadline", "2026-01-15T08:00:00"),
        "--deadline: '2026-01-15T08:00:00' isn't a time with its zone",
        "--help",
    ),
    "deadline in words": (("alert", "ask", ID, "Why?", "--deadline", "tomorrow"), "'tomorrow' isn't a time", "--help"),
    "day that isn't": (("history", "search", "--from", "2026-02-30", *ASK), "2026-02-30", "--help"),
    "node's name": (
        (*PUBLISH, "n/alert.json", "--to", "Hong Kong"),
        "'Hong Kong' isn't the name of a node",
        "as in the directory",
    ),
    "identifier": (("watchlist", "screen", "--identifier", "9074729"), "isn't SCHEME:VALUE", "--help"),
    "nothing to screen": (("watchlist", "screen"), "give a name, or --identifier", "--help"),
    "list's name": (
        ("watchlist", "import", "n/minerals.csv", "--list", "My List"),
        "can't be a list's name",
        "watchlist import --help",
    ),
    "hold's id": (("history", "hold", "release", "7", "--reason", "x"), "isn't a hold's id", "hold list` shows them"),
    "proposal's id": (("watchlist", "approve", "yesterday's"), "isn't a proposal's id", "watchlist proposals"),
    "hit": (("watchlist", "answer", ID, "false"), "isn't REPORTER/ID", "gateway watchlist hits"),
    "reason missing": (("history", "hold", "release", ID), "a release needs a reason", "--help"),
    "only a time": (("history", "search", "--from", "2026-01-01", *ASK), "only narrow a search", "--help"),
    "revision of nothing": (
        ("watchlist", "propose", "kind.json", "--list", "x", "--revision", "2"),
        "--revision is for an amendment",
        "--help",
    ),
    "unknown role": (
        ("init", "--node", "cn", "--federation", "x.example", "--system", "desk=oficer"),
        "unknown role 'oficer'",
        "--help",
    ),
    "link's form": (
        ("init", "--node", "cn", "--federation", "x.example", "--link", "hk=pish"),
        "must read NODE=push",
        "--help",
    ),
    "node's own name": (("init", "--node", "CN!", "--federation", "x.example"), "CN!", "Correct the name"),
    # paths
    "no file": ((*PUBLISH, "nope.json", *TO), "nope.json", "path"),
    "no evidence": (("alert", "finding", ID, "--result", "other", "--evidence", "nope"), "does not exist", "path"),
    "folder for a file": (("directory", "show", "n"), "n", "path"),
    "no bundle": (("evidence", "verify", "nope.zip", "--directory", "n/directory.note"), "does not exist", "path"),
    "output exists": (
        ("pki", "directory-key", "--authority", "cn", "--federation", "x.example", "--out", "n/offline/cn"),
        "exists already",
        "Choose another --out",
    ),
    # JSON
    "not JSON": ((*PUBLISH, "broken.json", *TO), "not JSON: Expecting property name", "Correct the JSON at that place"),
    "not UTF-8": ((*PUBLISH, "latin.json", *TO), "latin.json: not UTF-8", "Save the file as UTF-8."),
    "a list": ((*PUBLISH, "list.json", *TO), "must be an object, not a list", "docs/schema"),
    "a member twice": ((*PUBLISH, "twice.json", *TO), "a member stands twice", "Correct the JSON"),
    "unknown field": (
        (*PUBLISH, "unknown.json", *TO),
        "priorty: there is no such field; did you mean 'priority'",
        "docs",
    ),
    "unknown enum": ((*PUBLISH, "enum.json", *TO), "priority: must be one of A, B, C, not 'urgent'", "docs"),
    "misspelt enum": ((*PUBLISH, "enums.json", *TO), "did you mean 'inspect'?", "docs"),
    "no such month": ((*PUBLISH, "date.json", *TO), "valid_until: must be a time with its zone", "docs"),
    "time without zone": ((*PUBLISH, "zone.json", *TO), "valid_until: must be a time with its zone", "docs"),
    "text for a number": (
        (*PUBLISH, "nested.json", *TO),
        "goods[0].net_mass_kg: must be a number, not 'heavy'",
        "docs",
    ),
    "field as written": ((*PUBLISH, "camel.json", *TO), "handling.onwardTransfr: there is no such field", "docs"),
    "kind of entry": (("watchlist", "propose", "kind.json", "--list", "x"), "did you mean 'person'?", "docs"),
    # tables
    "unknown column": ((*PUBLISH, "colour.csv", *TO), "colour", "file"),
    "column twice": ((*PUBLISH, "two.csv", *TO), "case_reference", "file"),
    "a picture": ((*PUBLISH, "picture.png", *TO), "picture.png", "alert publish --help"),
    "encoding": (
        (*PUBLISH, "colour.csv", *TO, "--encoding", "utf-7"),
        "encoding 'utf-7' is unknown; use one of",
        "mean utf-8?",
    ),
    "delimiter": ((*PUBLISH, "colour.csv", *TO, "--delimiter", ";;"), "must be one ASCII character", "e.g. ; or tab"),
    "encoding of JSON": ((*PUBLISH, "lines.jsonl", *TO, "--encoding", "big5"), "are for CSV", "--help"),
    "mapping's key": (
        ("history", "import", "shipments.csv", "--mapping", "mapping.toml"),
        "columns.colour is unknown",
        "Correct that place in the file",
    ),
    "mapping isn't TOML": (
        ("history", "import", "shipments.csv", "--mapping", "notoml.toml"),
        "notoml.toml is not TOML",
        "Correct that place in the file",
    ),
    "no mapping": (("history", "import", "shipments.csv", "--mapping", "own"), "there is no mapping 'own'", "Correct"),
    # keys and certificates
    "certificate for a key": (
        ("directory", "sign", "n/directory.note", "--authority", "cn", "--key", "n/cn/pki/ca.pem", "--yes"),
        "ca.pem",
        "gateway pki show",
    ),
    "another's key": (
        ("directory", "sign", "n/directory.note", "--authority", "mo", "--key", "n/offline/cn/directory.pem", "--yes"),
        "another key for",
        "Give that authority's directory.pem",
    ),
    "no such authority": (
        ("directory", "sign", "n/directory.note", "--authority", "sg", "--key", "n/offline/cn/directory.pem", "--yes"),
        "sg",
        "Give that authority's directory.pem",
    ),
    "neither": (
        ("pki", "show", "n/alert.json"),
        "neither certificate, request, private key nor verifier key",
        "Give a certificate, request",
    ),
    "request of another node": (
        ("pki", "issue", "n/cn/pki/gateway.pem", "--ca", "n/offline/hk", "--out", "x.pem", "--yes"),
        "gateway.pem",
        "Give a request: the .csr",
    ),
    "passphrase for nothing": (
        ("pki", "show", "n/cn/pki/gateway.key", "--passphrase-file", "nope.txt"),
        "nope.txt",
        "gateway pki show",
    ),
    "variable isn't set": (
        ("pki", "show", "n/cn/pki/gateway.key", "--passphrase-env", "NOT_SET"),
        "NOT_SET",
        "gateway pki show",
    ),
    "name of a system": (
        ("pki", "request", "--kind", "system", "--node", "cn", "--federation", "x.example", "--out", "x"),
        "--name is needed for a system",
        "--help",
    ),
    # evidence and directory
    "nothing vouches": (("evidence", "verify", "empty.zip"), "name what vouches for the keys", "--help"),
    "not a bundle": (
        ("evidence", "verify", "empty.zip", "--directory", "n/directory.note"),
        "empty.zip",
        "gateway evidence export",
    ),
    "anchor": (("directory", "verify", "n/directory.note", "--anchor", "cn"), "cn", "Check the path"),
    "threshold": (
        ("directory", "verify", "n/directory.note", "--anchor", "n/offline/cn/directory.vkey", "--threshold", "3"),
        "threshold",
        "--anchor",
    ),
    "not a directory": (("directory", "show", "n/alert.json"), "alert.json", "Give a directory"),
    "not a card": (("directory", "draft", "n/alert.json", "--out", "d.json"), "alert.json", "Give a node card"),
    # who connects where
    "no settings": (
        ("alert", "list"),
        "no gateway is named: gateway.toml isn't there",
        "Give --config (or GATEWAY_CONFIG)",
    ),
    "no settings at all": (("doctor", "--config", "nope.toml"), "nope.toml: No such file", "Give the right --config"),
    "which system": (("alert", "list", *CN), "no system is named to connect as; there are", "Give --system NAME"),
    "unknown system": (
        ("alert", "list", *CN, "--system", "oficers"),
        "did you mean 'officers'?",
        "Give --system one of",
    ),
    "gateway's certificate": (
        ("alert", "list", *CN, "--cert", "n/cn/pki/gateway.pem", "--key", "n/cn/pki/gateway.key"),
        "is the certificate of the gateway itself",
        "Give a system's certificate and key",
    ),
    "another's private key": (
        ("alert", "list", *CN, "--system", "officers", "--key", "n/cn/pki/systems/ops.key"),
        "doesn't belong to the certificate",
        "gateway pki show",
    ),
    "no certificate": (("alert", "list", *CN, "--cert", "nope.pem"), "nope.pem: No such file", "Correct the path"),
    "no CA": (("alert", "list", *CN, "--system", "officers", "--ca", "n/alert.json"), "n/alert.json", "ca.pem"),
    "a leaf as CA": (
        ("alert", "list", *CN, "--system", "officers", "--ca", "n/cn/pki/gateway.pem"),
        "gateway.pem",
        "ca.pem",
    ),
    "no port": (
        ("alert", "list", *CN, "--system", "officers", "--address", "localhost"),
        "isn't an address",
        "host:port",
    ),
    "no host": (
        ("alert", "list", *CN, "--system", "officers", "--address", "nowhere.invalid:7444"),
        "there is no host nowhere.invalid",
        "Correct the host's name",
    ),
    "nobody listens": (
        ("alert", "list", *CN, "--system", "officers", "--address", "127.0.0.1:1"),
        "nobody listens at 127.0.0.1:1",
        "gateway serve",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_says_what_happened_and_what_helps(name: str, place: Path) -> None:
    words, message, step = MISTAKES[name]
    ok(run(*words), message, step)


def test_a_line_in_a_western_encoding_is_named_as_such(place: Path) -> None:
    result = run(*PUBLISH, "western.csv", *TO, "--dry-run")
    assert result.exit_code == 3
    assert "Line 2: byte 9 of the line is not utf-8; --encoding cp1252 reads 'descrição'" in result.stderr


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_node_that_ended_for_want_of_its_database_says_that_it_has_ended(place: Path, log_format: str) -> None:
    url = "postgresql://gateway@127.0.0.1:1/gateway"
    command = [forked_commands() / "gateway", "serve", "--config", "n/cn/gateway.toml"]
    environment = {**os.environ, "GATEWAY_DATABASE_URL": url, "GATEWAY_LOG_FORMAT": log_format, "COLUMNS": "400"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    said = ended.stderr + ended.stdout
    assert ended.returncode == 1, said
    assert "Start the database server, or correct database_url. Then start the gateway again" in said
    assert "by itself" not in said
    assert "disk space" not in said


@pytest.mark.parametrize("name", ["unknown option", "not a number", "unknown reason", "not JSON", "no settings"])
def test_programs_get_the_same_as_json(name: str, place: Path) -> None:
    words, message, step = MISTAKES[name]
    result = run(*words, "--json")
    error = json.loads(result.stderr)["error"]
    assert result.stdout == ""
    assert error.keys() >= {"reason", "message", "way_out"}
    assert message in error["message"]
    assert step in error["way_out"]


SETTINGS: dict[str, tuple[str, str, str]] = {
    "unknown key": (
        'log_level = "info"',
        'log_levle = "info"',
        "log_levle: there is no such setting; did you mean 'log_level'",
    ),
    "unknown key in a table": (
        'receipts = "',
        'receits = "',
        "keys.receits: there is no such setting; did you mean 'receipts'",
    ),
    "value": ('log_level = "info"', 'log_level = "loud"', "log_level:"),
    "role": ('ops = ["operator"]', 'ops = ["operater"]', "did you mean 'operator'?"),
    "type": ("threshold = ", 'threshold = "x" #', "directory.threshold: must be a valid integer"),
    "missing": ('node = "cn"', "", "node: is missing"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_name_what_was_probably_meant(name: str, place: Path) -> None:
    old, new, message = SETTINGS[name]
    file = place / "n" / "cn" / "gateway.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    result = run("doctor", *CN)
    assert result.exit_code == 2
    assert message in told(result)[0]
    assert told(result)[1] == ConfigurationError.way_out


def test_an_environment_variable_that_has_no_effect_is_told(place: Path) -> None:
    known = {"GATEWAY_LOG_LEVEL": "info", "GATEWAY_SYSTEMS__DESK": '["officer"]', "GATEWAY_SERVICE_HOST": "10.0.0.1"}
    result = run("alert", "list", *CN, "--system", "x", GATEWAY_LOG_LEVLE="debug", **known)
    (warning,) = [line for line in result.stderr.splitlines() if line.startswith("Warning: ")]
    assert warning == (
        "Warning: the environment variable GATEWAY_LOG_LEVLE is no setting and has no effect; "
        "did you mean 'GATEWAY_LOG_LEVEL'?"
    )


def test_a_node_does_not_start_with_a_variable_that_is_no_setting(place: Path) -> None:
    result = run("serve", *CN, GATEWAY_LOG_LEVLE="debug")
    assert result.exit_code == 2
    assert "GATEWAY_LOG_LEVLE is no setting" in told(result)[0]
    assert "did you mean 'GATEWAY_LOG_LEVEL'?" in told(result)[0]
    assert told(result)[1] == "Correct the variable's name, or remove it."
