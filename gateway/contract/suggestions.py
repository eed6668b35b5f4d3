"""Finds what was probably meant by a word that isn't known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LEAST_LIKENESS = 0.6
"""Ratio of difflib from which two words are alike: one slip in three letters, two in eight."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, or None where none is alike; case and hyphens don't count."""
    by_form = {_form(each): each for each in known}
    found = get_close_matches(_form(word), by_form, n=1, cutoff=LEAST_LIKENESS)
    return by_form[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    found = nearest(word, known)
    return f"; did you mean {found!r}?" if found else ""


def _form(word: str) -> str:
    return word.lower().strip("-").replace("-", "_")
