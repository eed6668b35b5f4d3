"""What `gateway doctor` finds is said in the reader's language, whichever part of the gateway began the sentence."""

from __future__ import annotations

import re

import pytest

from gateway.translation.check_texts import CHECKS, FINDINGS, REFUSALS, WAYS_OUT, check_text, way_out_text

VALUES = {"readings": "HK 0.1 s ahead (±0.0 s), MO 2.0 s behind (±0.5 s)", "detail": "it serves"}
"""By placeholder what stands there; a capital elsewhere."""

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


pytestmark = pytest.mark.usefixtures("shouting")


@pytest.mark.parametrize("message", [*CHECKS, *FINDINGS])
def test_a_check_and_what_it_found_are_said_whole(message: str) -> None:
    told = PLACEHOLDER.sub(lambda found: VALUES.get(found[1], "V"), message)
    assert check_text(told) == told.upper()


@pytest.mark.parametrize("message", [*WAYS_OUT, "Sign in again."])
def test_a_way_out_is_said_whole(message: str) -> None:
    told = PLACEHOLDER.sub("V", message)
    assert way_out_text(told) == told.upper()


@pytest.mark.parametrize("code", REFUSALS)
def test_a_reason_code_is_said_in_words(code: str) -> None:
    assert check_text(f"refused: {code}") == f"REFUSED: {REFUSALS[code].upper()}"


def test_what_a_partner_says_stays() -> None:
    assert check_text("refused: something else") == "REFUSED: something else"
    assert check_text("nobody here says that") == "nobody here says that"
    assert check_text("") == way_out_text("") == ""
