"""Groups of commands that import a command's module when it is called.

Lists of commands take descriptions from docstrings in the source, and import nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias, cast

import typer
from typer.core import TyperCommand, TyperGroup

from gateway.cli.help import current_command, translated_help
from gateway.translation.messages import gettext

ROOT = Path(__file__).parents[2]
"""Folder of the package."""

AnyCommand: TypeAlias = TyperCommand | TyperGroup


@dataclass(frozen=True, slots=True)
class Noun:
    """A group: its help, and its commands by name, each a `module:function` or a group."""

    help: str
    commands: Mapping[str, str | Noun]


class CommandMap(Mapping[str, AnyCommand]):
    """Commands by name; looking one up imports its module."""

    def __init__(self, commands: Mapping[str, str | Noun]) -> None:
        self._commands = commands

    def __getitem__(self, name: str) -> AnyCommand:
        entry = self._commands[name]
        return _group(name, entry) if isinstance(entry, Noun) else _command(name, entry)

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)

    def __contains__(self, name: object) -> bool:
        return name in self._commands

    def described(self, name: str) -> AnyCommand:
        """The command with name and description alone, for lists."""
        entry = self._commands[name]
        return (
            _group(name, entry)
            if isinstance(entry, Noun)
            else TyperCommand(name, help=translated_help(_docstring(entry)))
        )


class CommandGroup(TyperGroup):
    """A group whose commands are a `CommandMap`."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command for lists; `resolve_command` has the one to call."""
        return self.commands.described(cmd_name) if cmd_name in self.commands else None  # type: ignore[attr-defined]

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        current_command.set(f"{ctx.command_path} {name}")
        return name, command if name is None else self.commands[name], rest


def _group(name: str, noun: Noun) -> CommandGroup:
    return CommandGroup(
        name=name, help=gettext(noun.help), commands=cast(Any, CommandMap(noun.commands)), no_args_is_help=True
    )


class OneValueCommand(TyperCommand):
    """A command that refuses a second value for an option with one: the last would win, and the first be lost."""

    def make_parser(self, ctx: Any) -> Any:
        parser = super().make_parser(ctx)
        parse = parser.parse_args

        def parse_once(args: list[str]) -> Any:
            values, rest, given = parse(args=args)
            for option in given:
                if _holds_one(option) and given.count(option) > 1:
                    ctx.fail(gettext("{option} takes one value and was given twice", option=max(option.opts, key=len)))
            return values, rest, given

        parser.parse_args = parse_once  # type: ignore[method-assign]
        return parser


def _holds_one(parameter: Any) -> bool:
    """Whether a parameter is an option whose second value would replace the first; a flag says the same twice."""
    plain_flag = getattr(parameter, "is_flag", False) and not parameter.secondary_opts
    repeatable = getattr(parameter, "multiple", False) or getattr(parameter, "count", False)
    return parameter.param_type_name == "option" and not repeatable and not plain_flag


def _command(name: str, target: str) -> TyperCommand:
    module, _, function = target.partition(":")
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name, cls=OneValueCommand)(getattr(import_module(module), function))
    return cast(TyperCommand, typer.main.get_command(single))


@cache
def _docstrings(module: str) -> Mapping[str, str]:
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    return {function.name: ast.get_docstring(function) or "" for function in functions}


def _docstring(target: str) -> str:
    module, _, function = target.partition(":")
    return _docstrings(module)[function]
