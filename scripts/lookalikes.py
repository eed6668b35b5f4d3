"""Prints the module of letters that look alike from Unicode's confusables, as confusable-homoglyphs has them."""

from __future__ import annotations

import json
import string
import unicodedata
from importlib import resources

HEADER = '''\
"""Characters that look like a Latin letter or a Chinese character; made by scripts/lookalikes.py, never edited.

Source: Unicode's confusables (UTS 39, Unicode licence) as packaged by confusable-homoglyphs (MIT licence), and
Unicode's names of small capitals.
"""

from __future__ import annotations

_PAIRS = (
'''
FOOTER = '''\
)

SIMILAR = {chr(int(pair[:4], 16)): pair[4] for pair in _PAIRS.split()}
"""By character, the one that it looks like."""
'''
_PAIRS_ON_A_LINE = 16
_SMALL_CAPITAL = "LATIN LETTER SMALL CAPITAL "
_TO_HAN = ("KATAKANA", "BOPOMOFO", "HANGUL", "CJK RADICAL")


def is_candidate(character: str) -> bool:
    """A letter or sign of one character that normalisation keeps, written from left to right.

    Of the first plane only: those are the letters in use, and the same in every version of Python.
    """
    return (
        len(character) == 1
        and 0x80 <= ord(character) < 0x10000
        and unicodedata.normalize("NFKC", character) == character
        and unicodedata.bidirectional(character) not in ("R", "AL")
    )


def latin(confusables: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    """Letters that look like one of the 26, in their own case: І of Cyrillic is I, not l."""
    pairs: dict[str, str] = {}
    for letter in string.ascii_letters:
        for entry in confusables.get(letter, ()):
            character = entry["c"]
            if is_candidate(character) and character.isalpha() and pairs.get(character, "l") == "l":
                pairs[character] = "I" if letter == "l" and character.isupper() else letter
    for code in range(0x80, 0x10000):
        name = unicodedata.name(chr(code), "")
        letter = name.removeprefix(_SMALL_CAPITAL)
        if name.startswith(_SMALL_CAPITAL) and len(letter) == 1:
            pairs[chr(code)] = letter.lower()
    # A small letter of another script also looks like its capital: н and Н like H.
    for capital in sorted(pairs):
        character = capital.lower()
        if character != capital and character not in pairs and is_candidate(character):
            pairs[character] = pairs[capital].lower()
    return pairs


def han(confusables: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    """Kana, radicals and the like that look like one Chinese character: ロ like 口."""
    pairs = {}
    for character, entries in confusables.items():
        if is_candidate(character) and unicodedata.name(character, "").startswith(_TO_HAN):
            similar = [e["c"] for e in entries if unicodedata.name(e["c"][0], "").startswith("CJK UNIFIED")]
            if similar and len(similar[0]) == 1:
                pairs[character] = similar[0]
    return pairs


def table() -> str:
    """The whole module."""
    text = resources.files("confusable_homoglyphs").joinpath("confusables.json").read_text(encoding="utf-8")
    confusables = json.loads(text)
    pairs = [f"{ord(a):04x}{b}" for a, b in sorted((han(confusables) | latin(confusables)).items())]
    starts = range(0, len(pairs), _PAIRS_ON_A_LINE)
    lines = [f'    "{" ".join(pairs[start : start + _PAIRS_ON_A_LINE])} "\n' for start in starts]
    return "".join([HEADER, *lines, FOOTER])


if __name__ == "__main__":
    print(table(), end="")
