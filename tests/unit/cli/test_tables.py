"""--encoding and --delimiter of the commands that read tables: alike in all, and a guess is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.formats.wrong_lines import MOST_WRONG_LINES, TOO_MANY_WRONG

ALERTS = (
    "case_reference,exporter,priority,requested_action,typologies,classification,onward_transfer,purpose,legal_basis,valid_until\n"
    "C-1,湖南锑业进出口有限责任公司,B,inspect,false_declaration,official,prohibited,export_control,Arrangement,2099-01-01T00:00:00Z\n"
)
DECLARATIONS = (
    "Declaration ID,Date,HS6 Code,Office ID,Mode of Transport,Declarant ID,Importer ID,Seller ID,Courier ID,"
    "Country of Origin,Country of Departure,Net Mass,Item Price\n"
    "1,2026-01-10,811010,40,1,湖南锑业进出口有限责任公司,,,,CN,CN,1,1\n"
)
LISTS = "id,kind,name,reason\nA-1,organisation,湖南锑业进出口有限责任公司,未申报的锑锭\n"
SHIPMENTS = (
    "record_id,procedure,declared_at,exporter_name\nS-1,export,2026-01-10T12:00:00+08:00,湖南锑业进出口有限责任公司\n"
)
COMMANDS = {
    "alerts": (ALERTS, ("alert", "publish", "FILE", "--to", "hk")),
    "declarations": (
        DECLARATIONS,
        ("alert", "publish", "FILE", "--to", "hk", "--format", "declarations", "--legal-basis", "Arrangement"),
    ),
    "watchlists": (
        LISTS,
        ("watchlist", "import", "FILE", "--list", "minerals", "--legal-basis", "Law", "--releasable-to", "hk"),
    ),
    "shipments": (SHIPMENTS, ("history", "import", "FILE")),
}
WRONG = {"alerts": "C-{}", "declarations": "{},never", "watchlists": "A-{},nobody", "shipments": "S-{},never"}
"""Lines that can't be used."""


def run(kind: str, data: bytes, folder: Path, *options: str, name: str = "table.csv") -> Result:
    file = folder / name
    file.write_bytes(data)
    words = [str(file) if word == "FILE" else word for word in COMMANDS[kind][1]]
    return CliRunner().invoke(app, [*words, "--dry-run", *options])


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_guess_is_said_with_the_option_that_names_another(kind: str, tmp_path: Path) -> None:
    result = run(kind, COMMANDS[kind][0].encode("gb18030"), tmp_path)
    assert result.exit_code == 0, result.output
    assert "湖南锑业进出口有限责任公司" in json.dumps(json.loads(result.stdout), ensure_ascii=False)
    assert "Read as gb18030, guessed from the file; --encoding names another." in result.stderr


@pytest.mark.parametrize("kind", COMMANDS)
def test_what_is_named_is_taken_and_nothing_said(kind: str, tmp_path: Path) -> None:
    data = COMMANDS[kind][0].replace(",", "|").encode("utf-16-le")
    result = run(kind, data, tmp_path, "--encoding", "UTF-16-LE", "--delimiter", "|")
    assert result.exit_code == 0, result.output
    assert "湖南锑业进出口有限责任公司" in json.dumps(json.loads(result.stdout), ensure_ascii=False)
    assert "Read as" not in result.stderr
    tabs = run(kind, COMMANDS[kind][0].replace(",", "\t").encode(), tmp_path, "--delimiter", "tab")
    assert tabs.exit_code == 0, tabs.output


@pytest.mark.parametrize("kind", COMMANDS)
def test_what_cant_be_is_refused(kind: str, tmp_path: Path) -> None:
    data = COMMANDS[kind][0].encode()
    for options, said in (
        (("--encoding", "utf-7"), "encoding 'utf-7' is unknown; use one of 'utf-8'"),
        (("--delimiter", ";;"), "delimiter ';;' must be one ASCII character"),
    ):
        result = run(kind, data, tmp_path, *options)
        assert result.exit_code == 2
        assert said in result.stderr


@pytest.mark.parametrize("kind", ["alerts", "watchlists", "shipments"])
def test_they_are_for_tables_alone(kind: str, tmp_path: Path) -> None:
    result = run(kind, b"{}\n", tmp_path, "--encoding", "big5", name="lines.jsonl")
    assert result.exit_code == 2
    assert "--encoding and --delimiter are for CSV" in result.stderr


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_table_of_wrong_lines_is_read_no_further_than_a_thousand(kind: str, tmp_path: Path) -> None:
    """The line after them is good, and nobody reads it."""
    header, good = COMMANDS[kind][0].splitlines()
    wrong = [WRONG[kind].format(number) for number in range(MOST_WRONG_LINES)]
    result = run(kind, "\n".join([header, *wrong, good]).encode(), tmp_path)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert f"line {MOST_WRONG_LINES + 1}: {TOO_MANY_WRONG}. The first is line 2: " in " ".join(result.stderr.split())
    fewer = run(kind, "\n".join([header, *wrong[1:], good]).encode(), tmp_path)
    assert len(fewer.stdout.splitlines()) == 1, "the good line"
