"""Finds the product's commands, settings and errors in its code, for reference pages and for tests of documents."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import NoneType
from typing import Any, get_args

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway import errors
from gateway.cli.main import app
from gateway.node.settings import Settings


@cache
def root_command() -> Any:
    """`gateway` itself, with all commands below it; nobody changes it."""
    return typer.main.get_command(app)


def commands() -> dict[tuple[str, ...], Any]:
    """Every command by its words after `gateway`, in the order of help."""
    return dict(_commands_below(root_command()))


def _commands_below(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from _commands_below(below, (*path, name))
    else:
        yield path, command


def settings(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting by its dotted name; `*` stands for the names of a table of tables."""
    for name, field in model.model_fields.items():
        section = next(_models(field.annotation), None)
        mapped = section is not None and section is not field.annotation and NoneType not in get_args(field.annotation)
        if section is None or mapped:
            yield f"{prefix}{name}", field
        if section is not None:
            yield from settings(section, f"{prefix}{name}." + ("*." if mapped else ""))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            yield each


def error_classes(kind: type[errors.GatewayError] = errors.GatewayError) -> Iterator[type[errors.GatewayError]]:
    """Every class of `gateway.errors` with a reason of its own, the root first."""
    if kind.__module__ == errors.__name__:
        if "reason" in vars(kind):
            yield kind
        for below in kind.__subclasses__():
            yield from error_classes(below)
