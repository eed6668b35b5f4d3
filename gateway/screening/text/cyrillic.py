"""Romanises Cyrillic by the BGN/PCGN systems of Russian (1947), Ukrainian (2019) and Belarusian letters.

Source: "Romanization Systems and Policies", United States Board on Geographic Names. Without marks; the soft and hard
signs are left out. A second spelling takes е for e everywhere, as passports do since 2013 (ICAO Doc 9303).
"""

from __future__ import annotations

_LETTERS = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "ё": "yo", "ж": "zh", "з": "z", "и": "i", "й": "y", "к": "k",
    "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh",
    "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
    "і": "i", "ї": "yi", "є": "ye", "ґ": "g", "ў": "w",
}  # fmt: skip
_BEFORE_YE = frozenset("аеёиоуыэюяйъь")
_PASSPORT = {"ё": "e", "й": "i", "ю": "iu", "я": "ia", "щ": "shch", "є": "ie"}


def is_cyrillic(character: str) -> bool:
    """Whether a character is a letter of the Russian, Ukrainian or Belarusian alphabet."""
    return character.lower() in _LETTERS or character.lower() == "е"


def romanise(text: str) -> tuple[str, ...]:
    """By BGN/PCGN, and as passports have it if that differs: (`yevgeniy`, `evgenii`)."""
    lowered = text.lower()
    return tuple(dict.fromkeys((_spelt(lowered, {}, glide=True), _spelt(lowered, _PASSPORT, glide=False))))


def _spelt(text: str, instead: dict[str, str], *, glide: bool) -> str:
    found: list[str] = []
    before = " "
    for letter in text:
        if letter == "е":
            found.append("ye" if glide and (before in _BEFORE_YE or not before.isalpha()) else "e")
        else:
            found.append(instead.get(letter, _LETTERS.get(letter, letter)))
        before = letter
    return "".join(found)
