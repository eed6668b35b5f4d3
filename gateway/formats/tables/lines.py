"""Reads lines and cells in bounded memory, in common encodings and delimiters."""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import BinaryIO

from gateway.contract.limits import MAX_PAYLOAD_BYTES
from gateway.contract.suggestions import nearest
from gateway.errors import InputFileError, MalformedError
from gateway.formats.tables.encodings import Recognition, decoded_or_none, is_western, recognise

MAX_LINE_BYTES = 4 * MAX_PAYLOAD_BYTES
"""Longer lines are skipped. Escapes and names make an entry longer than on the wire."""

SAMPLE_BYTES = 64 << 10
"""Bytes to guess an encoding by, from the first line that isn't UTF-8."""

MAX_READING_CHARS = 12
"""Longest example of what an encoding makes of a line."""

ENCODINGS = ("utf-8", "gb18030", "big5", "big5hkscs", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1")

DELIMITERS = (",", ";", "\t")
"""Delimiters found in a header; others must be named."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_READ_BYTES = 64 << 10
_SEPARATORS = re.compile(r"[\s,;|\"']+")

csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))


@dataclass(slots=True)
class Dialect:
    """Encoding and delimiter of a table; empty ones are found while reading, and set.

    Attributes:
        guess: the encoding, if guessed.
    """

    encoding: str = ""
    delimiter: str = ""
    guess: str = ""

    def check(self) -> None:
        """Raises ConfigurationError for impossible values."""
        if self.encoding:
            check_encoding(self.encoding)
        if self.delimiter:
            check_delimiter(self.delimiter)


def check_encoding(name: str) -> None:
    """Raises ConfigurationError for an unknown encoding."""
    if name not in ENCODINGS:
        likely = nearest(name, ENCODINGS)
        raise InputFileError(
            f"encoding {name!r} is unknown; use one of {', '.join(map(repr, ENCODINGS))}",
            way_out=f"Did you mean {likely}?" if likely else "Name one of these, or let the encoding be found.",
        )


def check_delimiter(text: str) -> None:
    """Raises ConfigurationError for an impossible delimiter."""
    if len(text) != 1 or text in '"\r\n' or ord(text) > 127:
        raise InputFileError(
            f"delimiter {text!r} must be one ASCII character other than a quote",
            way_out="Name it, e.g. ; or tab, or let it be found.",
        )


def numbered_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers from 1; None for one that is too long."""
    return enumerate(_lines(stream, stream.readline(MAX_LINE_BYTES + 1)), 1)


def decoded(line: bytes | None, encoding: str = "utf-8") -> str:
    """A line's text without its end.

    Raises:
        MalformedError: too long, or not in this encoding.
    """
    if line is None:
        raise MalformedError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        return line.decode(encoding).rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise MalformedError(f"byte {error.start + 1} of the line is not {encoding}") from None


def table_lines(stream: BinaryIO, dialect: Dialect) -> Iterator[tuple[int, str, str]]:
    """Each line's number from 1, text, and why it can't be read."""
    first = stream.readline(MAX_LINE_BYTES + 1)
    named = bool(dialect.encoding)
    dialect.encoding = dialect.encoding or _marked(first)
    wide = dialect.encoding.startswith("utf-16")
    lines = _wide_lines(stream, first, dialect.encoding) if wide else _lines(stream, first)
    queue = deque(islice(lines, 1))
    likely: tuple[str, ...] = ()
    for number in count(1):
        if not queue:
            return
        line = queue.popleft()
        if not (dialect.encoding or line is None or line.isascii()):
            if not _is_utf8(line):
                queue.extend(_sample(lines))
                dialect.guess, likely = _guess([text for text in (line, *queue) if text])
            dialect.encoding = dialect.guess or "utf-8"
        try:
            yield number, decoded(line, "utf-8" if wide else dialect.encoding or "utf-8"), ""
        except MalformedError as error:
            yield number, "", error.message + (_way_out(line, likely) if line and not named else "")
        queue.extend(() if queue else islice(lines, 1))


def cells(text: str, delimiter: str = ",") -> list[str]:
    """The cells of a line; a record is one line, so that a stray quote spoils only that.

    Raises:
        MalformedError: not CSV.
    """
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise MalformedError(f"the line is not CSV: {error}") from None


def find_delimiter(header: str) -> str:
    """A header's most frequent delimiter; csv.Sniffer takes the comma of "Name, English;Type"."""
    return max(DELIMITERS, key=header.count)


def _lines(stream: BinaryIO, line: bytes) -> Iterator[bytes | None]:
    """Lines after a first one already read; None for one that is too long."""
    while line:
        yield line if len(line) <= MAX_LINE_BYTES else None
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
        line = stream.readline(MAX_LINE_BYTES + 1)


def _wide_lines(stream: BinaryIO, start: bytes, encoding: str) -> Iterator[bytes | None]:
    """UTF-16 lines as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    pending, too_long = "", False
    while start:
        *lines, pending = (pending + decoder.decode(start)).split("\n")
        for line in lines:
            yield None if too_long or len(line) > MAX_LINE_BYTES else f"{line}\n".encode("utf-8", "surrogatepass")
            too_long = False
        if len(pending) > MAX_LINE_BYTES:
            pending, too_long = "", True
        start = stream.read(_READ_BYTES)
    if decoder.getstate()[0]:
        pending += "\udfff"
    if pending or too_long:
        yield None if too_long else pending.encode("utf-8", "surrogatepass")


def _marked(first: bytes) -> str:
    """The encoding by a byte order mark, or by the NUL beside an ASCII letter in UTF-16; else empty."""
    for mark, encoding in _MARKS:
        if first.startswith(mark):
            return encoding
    return "utf-16-le" if first[1:2] == b"\0" else "utf-16-be" if first[:1] == b"\0" else ""


def _sample(lines: Iterator[bytes | None]) -> Iterator[bytes | None]:
    size = 0
    for line in lines:
        yield line
        size += len(line or b"")
        if size >= SAMPLE_BYTES:
            return


def _guess(sample: Sequence[bytes]) -> Recognition:
    """The encoding of a sample; none if most of it is UTF-8."""
    foreign = [line for line in sample if not line.isascii()]
    if sum(map(_is_utf8, foreign)) * 2 > len(foreign):
        return Recognition("")
    return recognise(foreign)


def _way_out(line: bytes, likely: Sequence[str]) -> str:
    """What a line reads as in the encodings that may be meant."""
    if is_western(line):
        likely = ("cp1252", *likely)
    readings = [(encoding, decoded_or_none(line, encoding)) for encoding in likely]
    shown = [f"--encoding {encoding} reads {_foreign(text)!r}" for encoding, text in readings if text]
    return "; " + (", ".join(shown) or "--encoding names the file's encoding")


def _foreign(text: str) -> str:
    """The first word of a text that isn't ASCII."""
    return next(word for word in _SEPARATORS.split(text) if not word.isascii())[:MAX_READING_CHARS]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
