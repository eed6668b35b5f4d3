"""Tells which Chinese encoding bytes are in, by how common the characters are that each would give.

GB18030 and Big5 decode each other's bytes, so what can be decoded says little. Characters of the right encoding are
nearly all common ones, and many occur in names of firms, places and persons; those of the wrong one are spread over
all rare ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from math import log
from typing import NamedTuple

CANDIDATES = ("gb18030", "big5", "big5hkscs")
"""In order of preference where two read the same."""

CERTAIN = log(1_000)
"""Least advantage of an encoding over those that read otherwise, as the logarithm of odds."""

MORE_THAN_CHANCE = log(20)
"""Least odds of an encoding by itself: about five characters of the words of customs."""

MAX_CHARACTERS = 2_000
"""More say no more."""

_REFERENCES = (
    "organisation_terms.csv",
    "organisation_places.csv",
    "legal_forms.csv",
    "surnames.csv",
    "goods_terms.csv",
    "locations.csv",
    "physical_data.csv",
)
"""Tables with words of customs; their Han characters count most."""

_RIGHT = (0.72, 0.25, 0.03)
_WRONG = (0.20, 0.30, 0.50)
_FOREIGN = (0.37, 0.57, 0.06)
"""Shares of such characters, of other common and of rare ones: in the right encoding, in the other Chinese one, and in
the common rows of Japanese and Korean encodings read as Chinese. Measured on names and prose in both writings."""

_AGAINST_OTHER = tuple(log(right / wrong) for right, wrong in zip(_RIGHT, _WRONG, strict=True))
_AGAINST_FOREIGN = tuple(log(right / foreign) for right, foreign in zip(_RIGHT, _FOREIGN, strict=True))

_LEVEL_1 = (range(0xB0, 0xD8), range(0xA1, 0xFF))
"""Lead and trail bytes of the 3,755 common characters of GB 2312."""

_HAN = range(0x4E00, 0xA000)

_WESTERN = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüœšžßªº°–’“”€")
"""Letters and signs of French, German, Portuguese, Spanish and their neighbours in Windows-1252, in lower case."""


class Recognition(NamedTuple):
    """What a sample is read as.

    Attributes:
        encoding: empty if none is certain.
        likely: encodings that may be meant where none is certain, the likeliest first.
    """

    encoding: str
    likely: tuple[str, ...] = ()


class _Odds(NamedTuple):
    """Logarithms of the odds of an encoding, against the other Chinese one and against foreign ones."""

    against_other: float
    against_foreign: float


def recognise(lines: Sequence[bytes]) -> Recognition:
    """The encoding of lines that aren't UTF-8."""
    found: dict[str, _Odds] = {}
    read: dict[tuple[str | None, ...], str] = {}
    for encoding in CANDIDATES:
        texts = tuple(decoded_or_none(line, encoding) for line in lines)
        if any(texts) and read.setdefault(texts, encoding) == encoding:  # equal texts say nothing apart
            found[encoding] = _odds(texts)
    ranked = sorted(found, key=lambda encoding: -found[encoding].against_other)
    if not ranked:
        return Recognition("")
    best = ranked[0]
    others = [found[other].against_other for other in ranked[1:] if not _alike(best, other)]
    apart = found[best].against_other - max(others, default=0.0)
    if apart >= CERTAIN and min(found[best]) >= MORE_THAN_CHANCE:
        return Recognition(best)
    return Recognition("", tuple(one for one in ranked if found[one].against_other > -MORE_THAN_CHANCE))


def decoded_or_none(line: bytes, encoding: str) -> str | None:
    """A line's text, or None if it isn't in this encoding."""
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None


def is_western(sample: bytes) -> bool:
    """Whether the bytes beyond ASCII read as letters of Western languages in Windows-1252."""
    try:
        foreign = [char for char in sample.decode("cp1252") if not char.isascii()]
    except UnicodeDecodeError:
        return False
    return bool(foreign) and all(char.lower() in _WESTERN for char in foreign)


def _alike(one: str, other: str) -> bool:
    """Big5 and its Hong Kong supplement differ in few characters; either reads the other's text nearly whole."""
    return one.startswith("big5") and other.startswith("big5")


def _odds(texts: Iterable[str | None]) -> _Odds:
    """The odds that lines are in an encoding; None: not decodable."""
    domain, common = _characters()
    counts = [0, 0, 0]
    broken = 0
    for text in texts:
        broken += text is None
        for char in text or "":
            if not char.isascii() and not _is_punctuation(char):
                counts[0 if char in domain else 1 if char in common else 2] += 1
        if sum(counts) >= MAX_CHARACTERS:
            break
    return _Odds(_sum(counts, _AGAINST_OTHER) - broken * CERTAIN, _sum(counts, _AGAINST_FOREIGN) - broken * CERTAIN)


def _sum(counts: Sequence[int], logarithms: Sequence[float]) -> float:
    return sum(count * logarithm for count, logarithm in zip(counts, logarithms, strict=True))


def _is_punctuation(char: str) -> bool:
    """Full-width forms and CJK punctuation, which all encodings have in one row: they say nothing."""
    return 0x3000 <= ord(char) <= 0x303F or 0xFF00 <= ord(char) <= 0xFFEF


@cache
def _characters() -> tuple[frozenset[str], frozenset[str]]:
    """Characters of the words of customs, and common ones, in either writing."""
    import opencc  # noqa: PLC0415  its dictionaries are loaded for files that need them alone

    every = [chr(code) for code in _HAN]
    simplified = dict(zip(every, opencc.OpenCC("t2s").convert("\n".join(every)).split("\n"), strict=True))
    level_1 = {bytes((lead, trail)).decode("gb2312", "ignore") for lead in _LEVEL_1[0] for trail in _LEVEL_1[1]}
    words = {simplified[char] for char in _reference_text() if char in simplified}
    domain = frozenset(char for char, written in simplified.items() if written in words)
    return domain, frozenset(char for char, written in simplified.items() if written in level_1)


def _reference_text() -> str:
    files = resources.files("gateway.reference")
    return "".join(files.joinpath(name).read_text("utf-8") for name in _REFERENCES)
