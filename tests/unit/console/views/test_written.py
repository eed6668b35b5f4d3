"""Numbers and codes as people write them."""

from __future__ import annotations

import pytest

from gateway.console.views.written import code_in, number_in
from gateway.translation.messages import in_language

ANY = ("en", "zh-Hans", "zh-Hant", "pt")


@pytest.mark.parametrize(
    ("text", "number", "languages"),
    [
        ("20000", 20000, ANY),
        ("99.65", 99.65, ANY),
        ("12,500.5", 12500.5, ANY),
        ("12.500,5", 12500.5, ANY),
        ("1,234,567", 1234567, ANY),
        ("1.234.567", 1234567, ANY),
        ("12 500.5", 12500.5, ANY),
        ("12\u202f500,5", 12500.5, ANY),
        ("12'500", 12500, ANY),
        ("0,5", 0.5, ANY),
        ("0", 0, ANY),
        ("12,500", 12500, ("en", "zh-Hans", "zh-Hant")),
        ("12.500", 12.5, ("en", "zh-Hans", "zh-Hant")),
        ("12,500", 12.5, ("pt",)),
        ("12.500", 12500, ("pt",)),
    ],
)
def test_a_number_is_read_as_it_was_meant(text: str, number: float, languages: tuple[str, ...]) -> None:
    for language in languages:
        with in_language(language):
            assert number_in(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "kg", "1e5", "-1", "+1", "nan", "inf", "0x10", "1,23,456", "1.2.3", "1,2,3", "9" * 13, "١٢", "12,", ".5"],
)
def test_anything_else_is_no_number(text: str) -> None:
    for language in ANY:
        with in_language(language):
            assert number_in(text) is None


@pytest.mark.parametrize("text", ["8110-10", "8110.10", "8110 10", "811010", "8110\u201310"])
def test_a_code_is_read_without_the_signs_that_part_it(text: str) -> None:
    assert code_in(text) == "811010"
