"""Fits tables into a width: which columns stay, how wide each is, and which ids are shortened."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.cells import cell_len

Row: TypeAlias = tuple[str, ...]

GAP = 2
"""Cells between two columns."""

READABLE = 22
"""Cells that a column of text keeps before a minor column is left out for it."""

LONGEST_WORD = 16
"""Cells of the longest word that isn't broken: longer ones are numbers and names of files."""

LONGEST_KEY = 44
"""Cells of the longest first column in one piece."""

MOST_LINES = 6
"""Lines of a cell that are read beside others: a longer text stands below them."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SHORT_LENGTHS = (13, 18, 23)
"""Characters of a short id: whole groups, the first two of which are a UUIDv7's millisecond."""

_UNITS = re.compile(
    r"^ *(?:gateway [a-z]|--\w).*|(?<=[: ] )gateway [a-z].*"  # a command to copy, on one line or two
    r"|^ +"
    r"|`[^`]*`[^\s`]*\s*"  # a command in a sentence
    r"|[\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60][\u3001\u3002\uff01-\uff1f]*\s*"  # no spaces between words
    r"|[^\s`\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]+\s*"
    r"|.\s*"
)
"""What stays together when a line is wrapped."""
_FIRST_COLUMN = re.compile(r" +\S+ {2,}")
"""Of a line of a watch: the position, right-aligned."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table that fits.

    Attributes:
        columns: names of the columns that stay.
        widths: cells of each; none in blocks.
        left_out: names of the others.
        shortened: whether ids are shortened.
        blocks: whether it fits only as a block of lines for each row, which leaves nothing out.
    """

    columns: tuple[str, ...]
    widths: tuple[int, ...]
    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()
    shortened: bool = False
    blocks: bool = False


def fit(columns: Sequence[str], rows: Sequence[Row], width: int, minor: Collection[str] = ()) -> Fitted:
    """The table in at most `width` cells a line.

    Args:
        columns: names, the first is the key and stays in one piece.
        minor: names of columns that may be left out, the first of them first.
    """
    whole = Fitted(tuple(columns), tuple(natural(columns, rows)), tuple(rows))
    if _total(whole.widths) <= width:
        return whole
    short = shorten_ids(rows)
    kept = list(range(len(columns)))
    dispensable = [columns.index(name) for name in minor if name in columns]
    while True:
        names = tuple(columns[at] for at in kept)
        shown = tuple(tuple(row[at] for at in kept) for row in short)
        needed, wished = natural(names, shown), list(_comfortable(names, shown))
        if _total(wished) <= width or not dispensable:
            break
        kept.remove(dispensable.pop(0))
    changed = short != tuple(rows)
    least = list(_least(names, shown))
    widths = tuple(_spread(wished if _total(wished) <= width else least, needed, width))
    if _total(least) > width or _lines(needed, widths) > MOST_LINES:
        return Fitted(tuple(columns), (), short, shortened=changed, blocks=True)
    left_out = tuple(name for at, name in enumerate(columns) if at not in kept)
    return Fitted(names, widths, shown, left_out, changed)


def natural(columns: Sequence[str], rows: Iterable[Row]) -> list[int]:
    """Cells that each column takes without folding."""
    widths = [cell_len(name) for name in columns]
    for row in rows:
        widths = [max(width, *map(cell_len, cell.split("\n"))) for width, cell in zip(widths, row, strict=True)]
    return widths


def shorten_ids(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with UUIDs cut to the shortest beginning that no other has in them."""
    ids = {found for row in rows for cell in row for found in _UUID.findall(cell)}
    length = next((size for size in _SHORT_LENGTHS if len({name[:size] for name in ids}) == len(ids)), None)
    if length is None or not ids:
        return tuple(rows)
    return tuple(tuple(_UUID.sub(lambda found: found[0][:length], cell) for cell in row) for row in rows)


def _lines(needed: Sequence[int], widths: Sequence[int]) -> int:
    """Lines that the longest text takes, about."""
    return max(-(-whole // width) for whole, width in zip(needed, widths, strict=True))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _least(columns: Sequence[str], rows: Sequence[Row]) -> Iterable[int]:
    """Cells below which a column isn't readable: its longest word; the key as a whole."""
    whole = natural(columns, rows)
    for at, name in enumerate(columns):
        words = [cell_len(word) for text in (name, *(row[at] for row in rows)) for word in text.split()]
        yield min(whole[0], LONGEST_KEY) if at == 0 else min(whole[at], max(words, default=1), LONGEST_WORD)


def _comfortable(columns: Sequence[str], rows: Sequence[Row]) -> Iterable[int]:
    """Cells at which a column reads well."""
    for whole, least in zip(natural(columns, rows), _least(columns, rows), strict=True):
        yield max(least, min(whole, READABLE))


def _spread(start: Sequence[int], needed: Sequence[int], width: int) -> list[int]:
    """The widths with what is left given to the columns that fold the most."""
    widths = list(start)
    for _ in range(width - _total(widths)):
        at = max(range(len(widths)), key=lambda column: needed[column] / widths[column])
        if widths[at] >= needed[at]:
            break
        widths[at] += 1
    return widths


def wrapped(line: str, width: int) -> tuple[list[int], int]:
    """Where a line is cut so that its parts fit, and the cells that all but the first are set in.

    Commands and paths stay whole. No later part begins where a line of this kind begins: foreign text in a line can't
    look like another one.
    """
    first = _FIRST_COLUMN.match(line)
    inset = first.end() if first else len(line) - len(line.lstrip(" ")) + GAP
    found, used = [], 0
    for unit in _UNITS.finditer(line):
        if used and line[: unit.start()].strip() and used + cell_len(unit[0].rstrip()) > width:
            found.append(unit.start())
            used = inset
        used += cell_len(unit[0])
    return found, inset
