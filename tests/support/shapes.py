"""Holds what commands print with --json against docs/schema, and finds members that no schema knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[2] / "docs" / "schema"
MOST_CHARS = 100_000
"""Longest document that is examined: longer ones repeat what shorter ones have, and take seconds."""


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
        return []
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]


def require_shape(words: Sequence[str], text: str) -> None:
    """Raises AssertionError where a command's JSON isn't as docs/schema says."""
    name = command_of(words)
    if name and len(text) < MOST_CHARS and "--dry-run" not in words:
        assert problems(name, json.loads(text)) == [], f"gateway {' '.join(words)}"
