"""Reads a file of settings, TOML, into one frozen object; every problem is named at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from gateway.contract.suggestions import did_you_mean
from gateway.errors import ConfigurationError

ModelT = TypeVar("ModelT", bound=BaseModel)

_KEY_URI: Final = "pkcs11:"
"""Begin of what may stand where a key's file does (trust.pki.token_uri)."""

_MUST_BE: Final = "Input should be "
_QUOTED: Final = re.compile(r"'([^']*)'")


def read_settings(model: type[ModelT], path: Path, *, paths: Iterable[Sequence[str]]) -> ModelT:
    """The settings in a file.

    Args:
        model: the class of the settings; it refuses unknown ones.
        path: the file.
        paths: settings that name files, each as its table and name; relative ones are taken from the file's folder.

    Raises:
        ConfigurationError: unreadable, or settings are missing, unknown or out of range.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"settings {path}: {error.strerror}", way_out="Give the right --config.") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or an integer of thousands of digits
        way_out = "Correct the file at that place; it is TOML in UTF-8."
        raise ConfigurationError(f"settings {path}: {error}", way_out=way_out) from error
    make_absolute(document, path.resolve().parent, paths)
    try:
        return model(**document)
    except ValidationError as error:
        problems = "; ".join(problem_of(problem, model) for problem in error.errors())
        raise ConfigurationError(f"settings {path}: {problems}", way_out="Correct the named settings.") from error


def problem_of(error: Any, model: type[BaseModel]) -> str:
    """What is wrong with a setting of the model: its name, the problem, and what would be right."""
    where = ".".join(map(str, error["loc"])) or "settings"
    given, said = error.get("input"), str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{where}: there is no such setting{did_you_mean(str(error['loc'][-1]), _beside(model, error['loc']))}"
    if error["type"] == "missing":
        return f"{where}: is missing"
    if not said.startswith(_MUST_BE):
        return f"{where}: {said}"
    likely = did_you_mean(given, _QUOTED.findall(said)) if isinstance(given, str) else ""
    shown = f", not {given!r}" if isinstance(given, (str, int, float)) else ""
    return f"{where}: must be {said.removeprefix(_MUST_BE)}{shown}{likely}"


def make_absolute(document: dict[str, Any], base: Path, paths: Iterable[Sequence[str]]) -> None:
    """Makes paths in a document absolute; the section `*` stands for each name."""
    for *sections, name in paths:
        for table in _tables(document, sections):
            if isinstance(table.get(name), str) and not table[name].startswith(_KEY_URI):
                table[name] = str(base / table[name])


def _tables(document: Any, sections: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The table of a section, or of each name where a section is `*`."""
    if not isinstance(document, dict):
        return
    if not sections:
        yield document
        return
    first, *rest = sections
    for table in document.values() if first == "*" else [document.get(first)]:
        yield from _tables(table, rest)


def _beside(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """Settings of the table in which one stands."""
    kind: Any = model
    for part in place[:-1]:
        fields = getattr(kind, "model_fields", {})
        kind = get_args(kind)[1] if get_origin(kind) is dict else getattr(fields.get(str(part)), "annotation", None)
    return list(getattr(kind, "model_fields", ()))
