from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translation.plain_text import printable, printable_json, printable_line
from tests.support.hostile_text import BY_CATEGORY, foreign_texts, is_harmless


@pytest.mark.drift
def test_the_characters_are_those_of_pythons_unicode_data() -> None:
    escaped = {number for number in range(sys.maxunicode + 1) if printable_line(chr(number)) != chr(number)}
    by_data = {n for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n)) in BY_CATEGORY}
    assert by_data <= escaped
    beyond = {chr(number) for number in escaped - by_data}
    assigned = {c for c in beyond if unicodedata.category(c) != "Cn"}
    assert assigned == set("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")


def test_foreign_text_cannot_control_the_terminal() -> None:
    assert printable("a\x1b[2Jb\u202ec\n") == "a\\u{001b}[2Jb\\u{202e}c\n"
    assert printable_line("a\nb\u2028c\tö") == "a\\u{000a}b\\u{2028}c\\u{0009}ö"
    assert printable("镓 – gállio 范\U000e0100") == "镓 – gállio 范\U000e0100"


@given(foreign_texts)
def test_what_is_shown_prints(text: str) -> None:
    assert is_harmless(printable_line(text))
    assert len(printable_line(text).splitlines()) <= 1
    assert is_harmless(printable(text), allowed="\n")
    assert printable(printable(text)) == printable(text)


@given(st.recursive(foreign_texts, lambda values: st.lists(values) | st.dictionaries(foreign_texts, values)))
def test_a_json_document_prints_and_keeps_its_value(value: object) -> None:
    for document in (json.dumps(value, ensure_ascii=False), json.dumps(value, ensure_ascii=False, indent=2)):
        shown = printable_json(document)
        assert is_harmless(shown, allowed="\n")
        assert shown.encode()
        assert json.loads(shown) == json.loads(document)
