"""Options and streams of commands that read tables and other files line by line."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from gateway.cli.output import Output
from gateway.errors import OptionError
from gateway.formats.foreign_files import require_text
from gateway.formats.tables.lines import ENCODINGS, Dialect
from gateway.translation.messages import gettext as _

EncodingOption = Annotated[
    str,
    typer.Option(
        "--encoding", help=_("CSV: found in the file without it. One of {encodings}.", encodings=", ".join(ENCODINGS))
    ),
]
DelimiterOption = Annotated[
    str,
    typer.Option("--delimiter", help=_("CSV: between cells; found in the header without it. One character, or tab.")),
]


def dialect_of(encoding: str, delimiter: str, *, is_table: bool) -> Dialect:
    """Encoding and delimiter by the options; ConfigurationError for wrong ones."""
    if (encoding or delimiter) and not is_table:
        raise OptionError(_("--encoding and --delimiter are for CSV; other formats are UTF-8 or name it"))
    dialect = Dialect(encoding.lower(), "\t" if delimiter in ("tab", "\\t") else delimiter)
    dialect.check()
    return dialect


@contextmanager
def guess_noted(output: Output, dialect: Dialect) -> Iterator[None]:
    """Prints after the block which encoding was guessed in it."""
    try:
        yield
    finally:
        if dialect.guess:
            output.note(
                _("Read as {encoding}, guessed from the file; --encoding names another.", encoding=dialect.guess)
            )


@contextmanager
def opened(file: Path, *, spooled: bool = True, may_be_empty: bool = False) -> Iterator[BinaryIO]:
    """A file to read, `-` for standard input; `spooled`: this is copied first, so that it can be read again.

    Raises:
        InputFileError: it is empty, or no text.
    """
    if str(file) != "-":
        with file.open("rb") as stream:
            if not may_be_empty:
                require_text(stream, str(file))
            yield stream
        return
    stdin = typer.get_binary_stream("stdin")
    require_text(stdin, _("standard input"))
    if not spooled:
        yield stdin
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stdin, copy)
        copy.seek(0)
        yield copy
