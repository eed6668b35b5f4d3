from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli.output import JsonOption, Output, reports_errors, to_json
from gateway.errors import ConfigurationError, InvalidRequestError, SignatureInvalidError, Violation
from gateway.translation.plain_text import printable

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


def test_table_shows_rows_without_interpreting_markup() -> None:
    code, out, err = run("rows")
    assert code == 0
    assert "a[red]" in out
    assert "Things [bold]" in out
    assert "2026-01-02T00:00:00Z" in out
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


def test_foreign_text_cannot_control_the_terminal() -> None:
    assert printable("a\x1b[2Jb\u202ec\n") == "a\\u{001b}[2Jb\\u{202e}c\n"
    assert printable("镓 – gállio") == "镓 – gállio"


def test_json_of_values() -> None:
    data = {"bytes": b"\x01\xff", "set": frozenset({"b", "a"})}
    assert json.loads(to_json(data)) == {
        "bytes": "01ff",
        "set": ["a", "b"],
    }
    with pytest.raises(TypeError):
        to_json(object())


def test_nobody_is_asked_in_json() -> None:
    with pytest.raises(ConfigurationError, match="--yes"):
        Output(as_json=True).confirm("Sure?")


def test_progress_passes_items_through_and_lines_are_whole_json(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    assert list(output.track(range(3), "working", total=3)) == [0, 1, 2]
    output.json_line({"a": [1, "镓"]})
    output.json_line({"b": None})
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"a": [1, "镓"]}, {"b": None}]
