"""Prints gateway/reference/kanji_readings.csv from KANJIDIC2: `python scripts/kanji_readings.py jamdict.db`.

The database is that of the package jamdict-data, which holds KANJIDIC2 (EDRDG, CC BY-SA 4.0).
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing

from gateway.screening.text.kana import is_kana, romanise

HEADER = "character,on,kun,names"
_READINGS = """
    SELECT c.literal, r.r_type, r.value FROM character c JOIN rm_group g ON g.cid = c.ID JOIN reading r ON r.gid = g.ID
    WHERE r.r_type IN ('ja_on', 'ja_kun') AND (c.grade <> '' OR c.freq <> '' OR c.ID IN (SELECT cid FROM nanori))
    UNION ALL SELECT c.literal, 'nanori', n.value FROM character c JOIN nanori n ON n.cid = c.ID"""


_STEMS = dict(zip("うくすつぬむるぐぶ", "いきしちにみりぎび", strict=True))
"""Last kana of verbs, and of their stems, which names have: 飛ぶ, tobi."""


def spellings(kind: str, value: str) -> Iterator[str]:
    """In Hepburn; of a Japanese reading its stem and the whole: すこ.やか → suko, sukoyaka; と.ぶ → to, tobu, tobi."""
    stem, dot, ending = value.strip("-").partition(".")
    texts = [stem, stem + ending] if dot and kind == "ja_kun" else [stem + ending]
    if len(ending) == 1 and ending in _STEMS:
        texts.append(stem + _STEMS[ending])
    for text in texts:
        if text and all(map(is_kana, text)):
            yield romanise(text)


def table(path: str) -> str:
    """The whole file."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    with closing(sqlite3.connect(path)) as database:
        for literal, kind, value in database.execute(_READINGS):
            of_kind = found.setdefault(literal, {}).setdefault(kind, {})
            of_kind.update(dict.fromkeys(spellings(kind, value)))
    kinds = ("ja_on", "ja_kun", "nanori")
    rows = (
        ",".join([literal, *("/".join(readings.get(kind, ())) for kind in kinds)])
        for literal, readings in sorted(found.items())
        if any(readings.values())
    )
    return "\n".join([HEADER, *rows]) + "\n"


if __name__ == "__main__":
    print(table(sys.argv[1]), end="")
