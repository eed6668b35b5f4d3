"""Prints gateway/reference/lookalikes.csv from Unicode's confusables, as confusable-homoglyphs packages them."""

from __future__ import annotations

import json
import string
import unicodedata
from importlib import resources

HEADER = "character,lookalike"
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
    """The whole file."""
    text = resources.files("confusable_homoglyphs").joinpath("confusables.json").read_text(encoding="utf-8")
    confusables = json.loads(text)
    rows = sorted((han(confusables) | latin(confusables)).items())
    return "\n".join([HEADER, *(",".join(row) for row in rows)]) + "\n"


if __name__ == "__main__":
    print(table(), end="")
