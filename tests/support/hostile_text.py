"""Text as an attacker writes it: what repaints a terminal, forges a line or hides words."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

HOSTILE = "\x1b[2J\r\n\x00\x07\x7f\x85\x9b\xad\u061c\u200b\u200d\u2028\u2029\u202e\u2066\ufeff\u3164\U000e0041"
"""One of each kind: escape sequences, C0, DEL, C1, bidi, zero-width, separators, a filler, a tag."""

foreign_texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(HOSTILE))
BY_CATEGORY = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def is_harmless(text: str, *, allowed: str = "") -> bool:
    return all(unicodedata.category(c) not in BY_CATEGORY or c in allowed for c in text)
