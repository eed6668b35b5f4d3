"""Tells what is wrong with a command line: a sentence and one step, or JSON for programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from typer.exceptions import TyperException

from gateway.cli.help import current_command
from gateway.cli.output import EXIT_WRONG_INPUT, print_failure
from gateway.contract.suggestions import nearest
from gateway.errors import OptionError
from gateway.translation.messages import SOURCE, in_language, language
from gateway.translation.messages import gettext as _

AS_JSON: Final = "--json"

_CHOICE: Final = re.compile(r"^'(.*?)' is not one of (.*)$", re.DOTALL)
_EXTRA: Final = re.compile(r"^Got unexpected extra argument[s()]* \((.*)\)$")
_BOUND: Final = re.compile(r"^Input should be (greater|less) than or equal to (\S+)$")
_NO_COMMAND: Final = re.compile(r"^No such command '(.*?)'\.", re.DOTALL)


def refused(error: TyperException, arguments: Sequence[str]) -> NoReturn:
    """Prints a refusal of the command line on stderr and ends the program."""
    as_json = AS_JSON in arguments
    with in_language(SOURCE if as_json else language()):
        show: Callable[[], None] | None = getattr(error, "show", None)
        if type(error).__name__ == "NoArgsIsHelpError" and show is not None:
            show()
        else:
            print_failure(usage_error(error), as_json=as_json)
    raise SystemExit(EXIT_WRONG_INPUT)


def usage_error(error: Any) -> OptionError:
    """The same as one of our errors."""
    context, message = error.ctx, error.message
    command = current_command.get() or (context.command_path if context is not None else "gateway")
    if type(error).__name__ == "NoSuchOption":
        options = [name for each in context.command.get_params(context) for name in each.opts]
        said = _("{command} has no option {option}", command=command, option=error.option_name)
        return OptionError(said, way_out=_meant(error.option_name, options) or _help(command))
    if found := _NO_COMMAND.match(message):
        known = context.command.list_commands(context)
        said = _("there is no command `{group} {name}`", group=context.command_path, name=found[1])
        return OptionError(said, way_out=_meant(found[1], known) or _some(known))
    where, message = _parameter(error), _plain(message)
    if type(error).__name__ == "MissingParameter":
        return OptionError(_("{command}: {where} is missing", command=command, where=where), way_out=_help(command))
    said = f"{where}: {message}" if where else f"{command}: {message}"
    return OptionError(said, way_out=_way_out(message, command))


def _parameter(error: Any) -> str:
    """The option or argument that is wrong: `--limit` or `FILE`; empty where it is none."""
    parameter = getattr(error, "param", None)
    if parameter is None:
        return str(getattr(error, "option_name", "") or "")
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name.upper()).strip("[]")


def _plain(message: str) -> str:
    """The message of a value that can't be read, in plain words."""
    text = message.removeprefix("Value error, ").rstrip(".")
    if found := _BOUND.match(text):
        most, least = _("must be at most {bound}", bound=found[2]), _("must be at least {bound}", bound=found[2])
        return least if found[1] == "greater" else most
    if found := _EXTRA.match(text):
        return _("takes no more arguments: {words}", words=found[1])
    if "requires an argument" in text:
        return _("needs a value")
    if text.startswith("Input should be a valid integer"):
        return _("must be a whole number")
    return _("must be a number") if text.startswith("Input should be a valid number") else text


def _way_out(message: str, command: str) -> str:
    if found := _CHOICE.match(message):
        return _meant(found[1], re.findall(r"'([^']*)'", found[2])) or _("Give one of these.")
    if message.endswith("does not exist"):
        return _("Correct the path; paths start at {folder}.", folder=Path.cwd())
    if " is a directory" in message or " is a file" in message:
        return _("Give the path of what is asked for.")
    return _help(command)


def _meant(word: str, known: Iterable[str]) -> str:
    likely = nearest(word, known)
    return _("Did you mean {likely}?", likely=likely) if likely else ""


def _some(known: Sequence[str]) -> str:
    return _("Commands are {commands}.", commands=", ".join(known))


def _help(command: str) -> str:
    return _("`{command} --help` lists arguments and options, with an example.", command=command)
