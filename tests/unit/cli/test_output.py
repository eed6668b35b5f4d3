from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from typer.testing import CliRunner

from gateway.cli import main
from gateway.cli.alert.steps import change_line
from gateway.cli.output import JsonOption, Output, fail, print_error, reports_errors, stacked, to_json
from gateway.errors import (
    ConfigurationError,
    InvalidRequestError,
    OptionError,
    SignatureInvalidError,
    UnavailableError,
    Violation,
)
from gateway.v1.alert_service_pb2 import AlertChange
from tests.support.hostile_text import foreign_texts, is_harmless

ROOT = Path(__file__).parents[3]

app = typer.Typer()


@app.command()
@reports_errors
def show(what: str, as_json: JsonOption = False) -> None:
    """Shows rows, or fails as told."""
    output = Output(as_json=as_json)
    match what:
        case "rows":
            output.note("two rows")
            output.table(
                "Things [bold]", ["Name", "Valid until"], [["a[red]", datetime(2026, 1, 2, tzinfo=UTC)], ["b", None]]
            )
        case "config":
            raise ConfigurationError("keys.log: no such key")
        case "signature":
            raise SignatureInvalidError("wrong signature", step="2 threshold")
        case "many":
            raise InvalidRequestError([Violation("a", "r", "is wrong"), Violation("b[0]", "r", "is missing")])
        case path:
            open(path).close()


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_table_shows_rows_without_interpreting_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    code, out, err = run("rows")
    assert code == 0
    assert "a[red]" in out
    assert "Things [bold]" in out
    assert "2026-01-02T00:00:00Z" in out  # in a pipe
    assert err.strip() == "two rows"


def test_json_is_one_document_keyed_by_column_and_nothing_else() -> None:
    code, out, err = run("rows", "--json")
    assert code == 0
    assert json.loads(out) == [
        {"name": "a[red]", "valid_until": "2026-01-02T00:00:00Z"},
        {"name": "b", "valid_until": None},
    ]
    assert err == ""


@pytest.mark.parametrize(
    ("what", "code", "sentence"),
    [
        ("config", 2, "keys.log: no such key"),
        ("signature", 1, "wrong signature"),
        ("many", 2, "b[0]: is missing"),
        ("/nowhere/at all", 2, "/nowhere/at all: No such file"),
    ],
)
def test_errors_become_a_sentence_a_way_out_and_an_exit_code(what: str, code: int, sentence: str) -> None:
    exit_code, out, err = run(what)
    assert exit_code == code
    assert sentence in err
    assert "Way out: " in err
    assert out == ""
    assert "Traceback" not in err


def test_errors_with_json_are_json_on_stderr() -> None:
    code, out, err = run("signature", "--json")
    error = json.loads(err)["error"]
    assert code == 1
    assert out == ""
    assert error["reason"] == "SIGNATURE_INVALID"
    assert error["metadata"] == {"step": "2 threshold"}
    assert json.loads(run("many", "--json")[2])["error"]["violations"][1]["field"] == "b[0]"


def test_people_get_their_language_and_programs_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "zh_MO")
    assert "請更正所指的設定" in run("config")[2]
    assert json.loads(run("config", "--json")[2])["error"]["way_out"].startswith("Correct the named setting")
    assert [set(row) for row in json.loads(run("rows", "--json")[1])] == [{"name", "valid_until"}] * 2


def test_json_of_values() -> None:
    data = {"bytes": b"\x01\xff", "set": frozenset({"b", "a"})}
    assert json.loads(to_json(data)) == {
        "bytes": "01ff",
        "set": ["a", "b"],
    }
    with pytest.raises(TypeError):
        to_json(object())


def test_nobody_is_asked_in_json() -> None:
    with pytest.raises(OptionError, match="--yes"):
        Output(as_json=True).confirm("Sure?")


def test_progress_passes_items_through_and_lines_are_whole_json(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    assert list(output.track(range(3), "working", total=3)) == [0, 1, 2]
    output.json_line({"a": [1, "镓"]})
    output.json_line({"b": None})
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"a": [1, "镓"]}, {"b": None}]


# Foreign text

PRINTING = (
    "print(1)", "os.write(1, b'x')", "rich.console.Console()", "terminal.console()",
    "sys.stdout.write('x')", "sys.stderr.write('x')", "sys.stdout.buffer", "sys.__stdout__",
    "typer.echo(1)", "typer.confirm('x')", "click.secho(1)",
)  # fmt: skip


@pytest.mark.drift
def test_the_linter_finds_what_prints_around_the_functions_that_make_text_harmless() -> None:
    imports = ("import os, sys", "import click, rich.console, typer", "from gateway.cli.display import terminal", "")
    checked = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--select=T20,TID251", "--output-format=json", "-",
         "--stdin-filename=gateway/cli/alert/some_module.py"],
        input="\n".join((*imports, *PRINTING)), cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {violation["location"]["row"] - len(imports) - 1 for violation in json.loads(checked.stdout)}
    assert [text for row, text in enumerate(PRINTING) if row not in found] == []


WIDE = "100000"
"""Columns in which no line is wrapped."""


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert is_harmless(text, allowed="\n")
    return text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(foreign_texts)
def test_whatever_a_partner_says_prints_harmlessly(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("COLUMNS", WIDE)
    output = Output()
    capsys.readouterr()
    for show in (output.line, output.note, output.warning):
        show(text)
        assert len(printed(capsys).splitlines()) == 1
    output.interruption(UnavailableError(text))
    assert len(printed(capsys).splitlines()) == 1
    with pytest.raises(typer.Exit):
        fail(InvalidRequestError([Violation(text, text, text), Violation(text, text, text)]))
    assert len(printed(capsys).splitlines()) == 4
    print_error(text, text)
    assert len(printed(capsys).splitlines()) == 2
    output.table(text, [text], [[text], [stacked([text, text])]])
    output.facts(text, {text: text})
    printed(capsys)
    assert len(stacked([text, text]).splitlines() or [""]) <= 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(foreign_texts)
def test_json_prints_and_keeps_its_value(capsys: pytest.CaptureFixture[str], text: str) -> None:
    output, value = Output(as_json=True), {"said": [text], text: text}
    capsys.readouterr()
    for show in (output.json, output.json_line, lambda data: output.facts(text, {}, data=data)):
        show(value)
        assert json.loads(printed(capsys)) == value
    output.json_line(value)
    assert len(printed(capsys).splitlines()) == 1
    with pytest.raises(typer.Exit):
        fail(UnavailableError(text, metadata={"said": text}), as_json=True)
    assert json.loads(printed(capsys))["error"]["metadata"] == {"said": text}


def test_a_change_of_an_alert_is_one_line_whatever_it_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change = AlertChange(position=7)
    change.event.question.text = "when?\n      8 2026-01-01 hk closed CASE-1 unfounded\x1b[2J"
    change.event.question.question_id = "q\u2028"
    Output().line(change_line(change))
    first, *others = printed(capsys).splitlines()
    assert first.startswith("       7  ")
    assert others
    assert all(line.startswith(" " * len("       7  ")) for line in others), "on a screen the rest is set in"
    monkeypatch.setenv("COLUMNS", WIDE)
    Output().line(change_line(change))
    assert len(printed(capsys).splitlines()) == 1


def test_a_defect_is_told_in_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(**_: object) -> None:
        raise RuntimeError("a\nError: forged\x1b[2J")

    monkeypatch.setenv("COLUMNS", WIDE)
    monkeypatch.setattr(main, "app", failing)
    monkeypatch.setattr(main, "configure_warnings", lambda: None)
    with pytest.raises(SystemExit):
        main.main()
    assert len(printed(capsys).splitlines()) == 2


def test_sentences_on_a_terminal_are_wrapped_and_those_for_programs_are_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = (
        "A sentence that is longer than a line of the screen, with `gateway alert list --json` and a little more."
    )
    print_error(sentence, sentence)
    assert sentence in printed(capsys)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    print_error(sentence, sentence)
    assert printed(capsys).splitlines() == [
        "Error: A sentence that is longer than a line of the screen, with",
        "  `gateway alert list --json` and a little more.",
        "Way out: A sentence that is longer than a line of the screen, with",
        "  `gateway alert list --json` and a little more.",
    ]
