"""Prints results of commands: tables or JSON on stdout, notes and errors on stderr.

People get their language, programs English. Foreign text has no markup and nothing that doesn't print.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, NoReturn, ParamSpec, TypeVar

import typer

from gateway.cli.display.cell_texts import CellTexts, rfc3339
from gateway.cli.help import current_command, translated_help
from gateway.errors import DocumentInvalidError, GatewayError, InvalidRequestError, Kind, OptionError
from gateway.translation.messages import SOURCE, in_language, language, listed
from gateway.translation.messages import gettext as _
from gateway.translation.plain_text import printable_json, printable_line
from gateway.translation.refusals import refused

EXIT_OK = 0
EXIT_FAILED = 1
"""A signature is wrong, a partner can't be reached."""
EXIT_WRONG_INPUT = 2
"""An argument, a file, a setting or the order of steps is wrong."""

_CORRECTABLE = frozenset(
    {Kind.INVALID_ARGUMENT, Kind.NOT_FOUND, Kind.ALREADY_EXISTS, Kind.FAILED_PRECONDITION, Kind.OUT_OF_RANGE}
)

JsonOption = Annotated[bool, typer.Option("--json", help=_("Print JSON instead of tables, for other programs."))]
"""Of every command: `as_json: JsonOption = False`."""

NamesOption = Annotated[bool, typer.Option("--names", help=_("Print the names alone, one a line, for a shell."))]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@dataclass(slots=True)
class Output:
    """Prints data on stdout, as tables or as one JSON document; notes for people on stderr.

    Names of columns and facts come in English, by `marked` and `N_`: JSON has them as keys.
    """

    as_json: bool = False
    _printed: bool = field(default=False, init=False)
    _interrupted: bool = field(default=False, init=False)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        data: object = None,
        minor: Sequence[str] = (),
    ) -> None:
        """Prints rows; with --json `data`, or else an object per row.

        `minor` columns are left out where the width doesn't suffice, the first of them first, and named below.
        """
        cells = [tuple(row) for row in rows]
        if self.as_json:
            self.json(
                data if data is not None else [dict(zip(map(json_key, columns), row, strict=True)) for row in cells]
            )
            return
        self._separate()
        terminal, texts = _terminal(), _texts("minute")
        fitted = terminal.print_table(
            texts.shown(title),
            [texts.shown(_(column)) for column in columns],
            [tuple(map(texts.shown, row)) for row in cells],
            minor=[texts.shown(_(column)) for column in minor],
            empty=_("none"),
        )
        self._remark(_remarks(texts, fitted.left_out, shortened=fitted.shortened))

    def facts(self, title: str, facts: Mapping[str, object], *, data: object = None) -> None:
        """Prints names with values; with --json `data`, or else one object."""
        if self.as_json:
            self.json(data if data is not None else {json_key(name): value for name, value in facts.items()})
            return
        self._separate()
        texts = _texts("second")
        _terminal().print_facts(
            texts.shown(title), {texts.shown(_(name)): texts.shown(value) or "—" for name, value in facts.items()}
        )
        self._remark(_remarks(texts))

    def _separate(self) -> None:
        """Prints an empty line between two tables."""
        if self._printed:
            _terminal().print_blank()
        self._printed = True

    def _remark(self, sentences: Sequence[str]) -> None:
        if sentences:
            _terminal().print_remark(" ".join(sentences))

    def json(self, data: object) -> None:
        """Prints a JSON document on stdout."""
        sys.stdout.write(to_json(data) + "\n")
        sys.stdout.flush()

    def json_line(self, data: object) -> None:
        """Prints a JSON document on one line."""
        document = json.dumps(data, default=_jsonable, ensure_ascii=False, separators=(",", ":"))
        sys.stdout.write(printable_json(document) + "\n")
        sys.stdout.flush()

    def line(self, text: object) -> None:
        """Prints a result for people on stdout."""
        if not self.as_json:
            _terminal().print_line(_shown_line(text))

    def names(self, names: Iterable[str]) -> None:
        """Prints names alone, one a line, for a shell; with --json a list of them."""
        if self.as_json:
            self.json(list(names))
            return
        sys.stdout.write("".join(f"{printable_line(name)}\n" for name in names))
        sys.stdout.flush()

    def drawing(self, text: str) -> None:
        """Prints what a renderer has drawn of clean texts, colours included."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def interruption(self, error: GatewayError) -> None:
        """Notes once that a watch was interrupted and tries again, until `resumption`."""
        if not self._interrupted:
            self._interrupted = True
            self.note(_("Interrupted ({message}); trying again until it goes on.", message=error.message))

    def resumption(self) -> None:
        """Notes that a watch goes on."""
        self._interrupted = False
        self.note(_("It goes on."))

    def note(self, text: object) -> None:
        """Prints a line for people on stderr."""
        if not self.as_json:
            _terminal().print_line(_shown_line(text), stderr=True)

    def warning(self, text: object) -> None:
        """Prints a warning on stderr, with --json too."""
        _terminal().print_line(_shown_line(text), label=_("Warning: "), style="bold yellow", stderr=True)

    def confirm(self, question: str) -> bool:
        """Asks yes or no on stderr; raises as `require_human`."""
        self.require_human()
        return typer.confirm(printable_line(question), err=True)

    def secret(self, question: str) -> str:
        """What a person types, unseen; raises OptionError when nothing comes."""
        try:
            typed: str = typer.prompt(printable_line(question), hide_input=True, err=True)
        except typer.Abort:
            raise OptionError(_("nothing was typed"), way_out=_("Type it, or name a file that holds it.")) from None
        return typed

    def require_human(self) -> None:
        """Raises ConfigurationError with --json."""
        if self.as_json:
            raise OptionError(_("--json never asks: confirm beforehand with --yes"))

    @contextmanager
    def progress(self, description: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        """A progress bar on stderr; yields `advance(steps)`."""
        with _terminal().progress_bar(_shown_line(description), total, silent=self.as_json) as advance:
            yield advance

    def track(self, items: Iterable[T], description: str, total: float | None = None) -> Iterator[T]:
        """Yields the items, with a progress bar on stderr."""
        with self.progress(description, total) as advance:
            for item in items:
                yield item
                advance(1)


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Decorates a command: errors are printed with their way out; JSON is English."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        as_json = bool(kwargs.get("as_json", False))
        with in_language(SOURCE if as_json else language()):
            try:
                return command(*args, **kwargs)
            except GatewayError as error:
                fail(error, as_json=as_json)
            except BrokenPipeError:
                raise  # the reader has enough
            except OSError as error:
                fail(_from_os(error), as_json=as_json)

    wrapped.__doc__ = translated_help(command.__doc__ or "")
    return wrapped


def fail(error: GatewayError, *, as_json: bool = False) -> NoReturn:
    """Prints an error on stderr and ends the command by raising typer.Exit."""
    print_failure(error, as_json=as_json)
    raise typer.Exit(exit_code(error))


def print_failure(error: GatewayError, *, as_json: bool = False) -> None:
    """Prints an error on stderr."""
    if as_json:
        sys.stderr.write(to_json({"error": error_facts(error)}) + "\n")
    else:
        violations = error.violations if isinstance(error, (InvalidRequestError, DocumentInvalidError)) else ()
        details = [f"  {each.field}: {refused(each.message)}" for each in violations] if len(violations) > 1 else []
        print_error(refused(error.message), way_out_of(error), details)


def print_error(message: str, way_out: str, details: Iterable[str] = ()) -> None:
    """Prints an error for people on stderr."""
    terminal = _terminal()
    terminal.print_line(printable_line(message), label=_("Error: "), style="bold red", stderr=True)
    for line in details:
        terminal.print_line(printable_line(line), stderr=True)
    terminal.print_line(printable_line(way_out), label=_("Way out: "), stderr=True)


def way_out_of(error: GatewayError) -> str:
    """The step that helps; where nothing else fits, the help of the command that runs."""
    if error.way_out == OptionError.way_out and (command := current_command.get()):
        return _("`{command} --help` lists arguments and options, with an example.", command=command)
    return _(error.way_out)


def exit_code(error: GatewayError) -> int:
    """2 where the caller can correct it, 1 otherwise."""
    return EXIT_WRONG_INPUT if error.kind in _CORRECTABLE else EXIT_FAILED


def error_facts(error: GatewayError) -> dict[str, object]:
    """An error as JSON members."""
    facts: dict[str, object] = {"reason": error.reason, "message": error.message, "way_out": way_out_of(error)}
    if error.metadata:
        facts["metadata"] = dict(error.metadata)
    if isinstance(error, (InvalidRequestError, DocumentInvalidError)):
        facts["violations"] = [asdict(violation) for violation in error.violations]
    return facts


def to_json(data: object) -> str:
    """Indented JSON; times in RFC 3339 UTC, bytes in hexadecimal, what doesn't print as `\\uXXXX`."""
    return printable_json(json.dumps(data, default=_jsonable, ensure_ascii=False, indent=2))


class _FileProblem(GatewayError):
    """A file can't be read or written."""

    reason = "FILE"
    kind = Kind.INVALID_ARGUMENT
    way_out = "Check the path, that it exists, and that this user may read or write there."


def _from_os(error: OSError) -> GatewayError:
    place = f"{error.filename}: " if error.filename else ""
    return _FileProblem(f"{place}{error.strerror or error}")


def _terminal() -> ModuleType:
    from gateway.cli.display import terminal  # noqa: PLC0415  # rich imports slowly

    return terminal


def json_key(column: str) -> str:
    """The JSON member for a name: `Valid until` is `valid_until`."""
    return column.lower().replace(" ", "_").replace("-", "_")


def stacked(texts: Iterable[str]) -> str:
    """Texts for one cell, one a line; none can look like two."""
    return "\n".join(map(printable_line, texts))


def _shown_line(value: object) -> str:
    """A value for a line, harmless; it can't begin another."""
    return printable_line(CellTexts().text(value))


def _texts(to_the: Literal["minute", "second"]) -> CellTexts:
    """Texts as they are looked at: whole in pipes and files, short on a screen."""
    return CellTexts(datetime.now(UTC).astimezone(), to_the=to_the) if _terminal().folds() else CellTexts()


def _remarks(texts: CellTexts, left_out: Sequence[str] = (), *, shortened: bool = False) -> list[str]:
    """What a table leaves unsaid: the zone of its times, its columns and ids."""
    remarks = [_("Times: {zone}.", zone=texts.zone)] if texts.has_times else []
    if left_out:
        remarks.append(_("Left out: {columns}.", columns=listed(left_out)))
    if shortened:
        remarks.append(_("Ids are shortened. Commands accept a shortened id if it is unique."))
    if left_out or shortened:
        remarks.append(_("All of it: a wider window, `| less -S` or --json."))
    return remarks


def _jsonable(value: object) -> Any:
    for kind, convert in _JSON_FORMS:
        if isinstance(value, kind):
            return convert(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form here")


_JSON_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (datetime, rfc3339),  # before date: it is one
    (date, lambda value: value.isoformat()),
    (bytes, lambda value: value.hex()),
    (Enum, lambda value: value.value),
    (Path, str),
    ((set, frozenset), sorted),
    (Mapping, dict),
)
