"""docs/schema is what the contract gives, and what commands print is as it says.

Whatever a command prints with --json in any test is held against it by `tests.support.shapes.examined_outputs`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.cli.groups import Noun
from gateway.cli.main import COMMANDS
from gateway.cli.output import error_facts
from gateway.contract.json_form import json_of
from gateway.errors import InvalidRequestError, OptionError, Violation
from gateway.v1 import alert_service_pb2
from tests.support.shapes import FOLDER, command_of, problems
from tests.unit.contract.test_json_form import filled

ROOT = Path(__file__).parents[3]
NAMES = json.loads((FOLDER / "commands.json").read_text("utf-8"))["$defs"]


@pytest.mark.drift
def test_the_schemas_are_made_from_the_contract() -> None:
    script = [sys.executable, ROOT / "scripts" / "schemas.py", "--check"]
    done = subprocess.run(script, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.drift
def test_every_schema_is_of_a_command_and_is_one() -> None:
    for name in NAMES:
        at: object = COMMANDS
        for word in () if name == "error" or name.startswith("file: ") else name.split():
            at = at.commands[word] if isinstance(at, Noun) else at[word]  # type: ignore[index]
    for path in FOLDER.glob("*.json"):
        Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))


def test_messages_with_and_without_content_are_as_their_schema_says() -> None:
    for message in (alert_service_pb2.AlertSummary(), filled(alert_service_pb2.AlertSummary())):
        assert problems("alert list", [json_of(message)]) == []
    assert problems("alert show", json_of(filled(alert_service_pb2.GetAlertResponse()))) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "ALERT_STATUS_PUBLISHED"}, "is not one of"),
        ({"receipted_at": 5}, "is not of type"),
        ({"colour": "red"}, "colour"),
        ({"alert": {"id": "x"}}, "is not valid under any of the given schemas"),
    ],
)
def test_what_is_otherwise_is_found(change: dict[str, object], said: str) -> None:
    document = {**json_of(alert_service_pb2.AlertSummary()), **change}
    assert any(said in problem for problem in problems("alert list", [document]))


def test_commands_are_found_by_their_words() -> None:
    assert command_of(["history", "hold", "list", "--released"]) == "history hold list"
    assert command_of(["alert", "show", "x"]) == "alert show"
    assert command_of(["serve", "x"]) == ""


@pytest.mark.drift
def test_every_command_with_json_has_a_strict_schema() -> None:
    """`serve` and `console` alone have none: they print nothing, and `serve` writes its log with --json as JSON."""
    missing = {name for name, command in _commands(COMMANDS) if "as_json" in signature(command).parameters} - {*NAMES}
    assert missing == {"serve", "console"}
    assert list(_open_objects(NAMES)) == []


def test_an_error_is_as_its_schema_says() -> None:
    error = InvalidRequestError([Violation("goods[0]", "required", "it is missing")])
    for raised in (error, OptionError("no"), OptionError("no", metadata={"port": "1"})):
        assert problems("error", {"error": error_facts(raised)}) == []
    assert problems("error", {"error": {**error_facts(error), "colour": "red"}})


def _commands(entries: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Callable[..., object]]]:
    for name, entry in entries.items():
        if isinstance(entry, Noun):
            yield from _commands(entry.commands, f"{before}{name} ")
        else:
            module, _colon, function = entry.partition(":")
            yield f"{before}{name}", getattr(import_module(module), function)


def _open_objects(shape: Any, *, inside: bool = False) -> Iterator[Any]:
    """Objects that take members of any name and type; those beside a message are closed with it."""
    if isinstance(shape, dict):
        if shape.get("type") == "object" and not inside and "additionalProperties" not in shape:
            yield shape
        if shape.get("type") == "array" and "items" not in shape:
            yield shape
        for key, value in shape.items():
            yield from _open_objects(value, inside=key == "allOf")
    elif isinstance(shape, list):
        for value in shape:
            yield from _open_objects(value, inside=inside)
