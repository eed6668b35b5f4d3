"""Breaks text into lines; a Chinese character has two columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.cells import cell_len, set_cell_size

from gateway.translation.plain_text import printable

Measure = Callable[[str], float]


def folded(text: str, width: float, hang: str = "", measure: Measure = cell_len) -> Iterator[str]:
    """Lines of at most this width, broken at spaces if possible; `hang` indents further lines.

    By default the width is in columns of a terminal.
    """
    line = " " * (len(text) - len(text.lstrip(" ")))
    for word in clean(text).split(" "):
        joined = f"{line} {word}" if line.strip() else f"{line}{word}"
        if measure(joined) <= width:
            line = joined
            continue
        if line.strip() and not _breaks_anywhere(word, width, measure):
            yield line
            line = hang
        line = f"{line} {word}" if line.strip() else line + word
        while measure(line) > width:
            head = _head(line, width, measure)
            yield head
            line = hang + line[len(head) :].lstrip(" ")
    if line.strip():
        yield line


def cut(text: str, width: int) -> str:
    """Cuts a text to `width` columns with an ellipsis."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…"


def clean(text: str) -> str:
    """Text on one line, with visible control characters."""
    return " ".join(printable(text).split())


def _breaks_anywhere(word: str, width: float, measure: Measure) -> bool:
    """Chinese has no spaces."""
    return cell_len(word) > len(word) and measure(word) > width / 2


def _head(text: str, width: float, measure: Measure) -> str:
    taken = 0.0
    for position, char in enumerate(text):
        taken += measure(char)
        if taken > width:
            return text[: max(position, 1)]
    return text
