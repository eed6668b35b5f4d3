"""Holds what commands print with --json against docs/schema, and finds members that no schema knows."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from gateway.cli.help import current_command
from gateway.cli.output import Output, to_json

FOLDER = Path(__file__).parents[2] / "docs" / "schema"
MOST_CHARS = 100_000
"""Longest document that is examined: longer ones repeat what shorter ones have, and take seconds."""

MOST_ALIKE = 20
"""Documents of one command with the same members and states that are examined: thousands of lines differ in values."""

_WORD = re.compile(r"[a-z_]{1,40}")
_examined = Counter[tuple[str, Any]]()


@cache
def _documents() -> dict[str, Any]:
    return {path.name: _strict(json.loads(path.read_text("utf-8"))) for path in FOLDER.glob("*.json")}


def _strict(schema: Any, *, inside: bool = False) -> Any:
    """The schema, with no members beyond those that messages have."""
    if isinstance(schema, list):
        return [_strict(each, inside=inside) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(value, inside=key == "allOf") for key, value in schema.items()}
    closed = ("$ref" in schema and not inside) or "allOf" in schema
    return {**made, "unevaluatedProperties": False} if closed else made


@cache
def _validator(name: str) -> Draft202012Validator | None:
    documents = _documents()
    if name not in documents["commands.json"]["$defs"]:
        return None
    resources = [(file, Resource.from_contents(content)) for file, content in documents.items()]
    registry: Registry[Any] = Registry().with_resources(resources)
    pointer = name.replace(" ", "%20")
    return Draft202012Validator({"$ref": f"commands.json#/$defs/{pointer}"}, registry=registry)


def command_of(words: Sequence[str]) -> str:
    """The name of the schema for a command line; empty where there is none."""
    known = _documents()["commands.json"]["$defs"]
    return next((name for size in (3, 2, 1) if (name := " ".join(words[:size])) in known), "")


def problems(name: str, document: Any) -> list[str]:
    """What in a document isn't as its schema says."""
    validator = _validator(name)
    if validator is None:
        return ["docs/schema has no shape of it"]
    found = filter(None, (best_match([error]) for error in validator.iter_errors(document)))
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


@contextmanager
def examined_outputs() -> Iterator[list[str]]:
    """Yields a list that gets the problems of all JSON that commands print in this process."""
    found: list[str] = []
    originals = Output.json, Output.json_line

    def examined(original: Callable[[Output, object], None]) -> Callable[[Output, object], None]:
        def printed(output: Output, data: object) -> None:
            original(output, data)
            _note_problems(found, to_json(data))

        return printed

    Output.json, Output.json_line = map(examined, originals)  # type: ignore[method-assign]
    try:
        yield found
    finally:
        Output.json, Output.json_line = originals  # type: ignore[method-assign]


def _note_problems(found: list[str], text: str) -> None:
    words = current_command.get().split()[1:]
    if words and len(text) < MOST_CHARS:
        name, document = command_of(words), json.loads(text)
        alike = name, _members(document)
        _examined[alike] += 1
        if _examined[alike] <= MOST_ALIKE:
            found += [f"{' '.join(words)}: {problem}" for problem in problems(name, document)]


def _members(value: Any) -> Any:
    """Names and kinds of all members, and words as states are: what documents may have in common."""
    if isinstance(value, dict):
        return tuple((name, _members(value[name])) for name in sorted(value))
    if isinstance(value, list):
        return frozenset(map(_members, value))
    return value if isinstance(value, str) and _WORD.fullmatch(value) else type(value)
