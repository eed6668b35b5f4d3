"""Prints gateway/reference/readings.csv from the dictionaries of pypinyin and ToJyutping."""

from __future__ import annotations

import ToJyutping
from pypinyin import Style
from pypinyin.constants import PINYIN_DICT
from pypinyin.style import convert

HEADER = "character,mandarin,cantonese"


def mandarin(character: str) -> tuple[str, ...]:
    """Toneless pinyin readings, v for ü."""
    marked = PINYIN_DICT.get(ord(character), "")
    plain = (convert(reading, style=Style.NORMAL, strict=False) for reading in marked.split(",") if reading)
    return tuple(dict.fromkeys(reading.replace("ü", "v").replace("lue", "lve") for reading in plain))


def cantonese(character: str) -> tuple[str, ...]:
    """Toneless Jyutping readings."""
    [(_, readings)] = ToJyutping.get_jyutping_candidates(character) or [("", ())]
    return tuple(dict.fromkeys(reading.rstrip("0123456789") for reading in readings))


def table() -> str:
    """The whole file."""
    characters = sorted({chr(code) for code in PINYIN_DICT} | set(ToJyutping.Trie.root))
    rows = ((character, "/".join(mandarin(character)), "/".join(cantonese(character))) for character in characters)
    return "\n".join([HEADER, *(",".join(row) for row in rows if row[1] or row[2])]) + "\n"


if __name__ == "__main__":
    print(table(), end="")
