"""Readings of characters are those of the dictionaries that they come from."""

from __future__ import annotations

import runpy
from importlib import resources
from pathlib import Path

import pytest

from gateway.screening.text.sounds import cantonese, mandarin

ROOT = Path(__file__).parents[4]


@pytest.mark.drift
@pytest.mark.filterwarnings("ignore:codecs.open:DeprecationWarning")  # pypinyin reads its files so, on Python 3.14
def test_the_packaged_readings_are_those_of_the_dictionaries() -> None:
    packaged = resources.files("gateway.reference").joinpath("readings.csv").read_text(encoding="utf-8")
    assert packaged == runpy.run_path(str(ROOT / "scripts/readings.py"))["table"](), "run `make readings`"


@pytest.mark.parametrize(
    ("character", "in_mandarin", "in_cantonese"),
    [
        ("國", ("guo",), ("gwok", "gok", "kwok")),
        ("女", ("nv", "ru"), ("neoi", "jyu", "leoi")),
        ("呎", ("chi", "ying"), ("cek", "jing1 cek")),
        ("䇆", (), ("sap6 sing",)),
        ("a", (), ()),
        (",", (), ()),
    ],
)
def test_the_usual_reading_comes_first(
    character: str, in_mandarin: tuple[str, ...], in_cantonese: tuple[str, ...]
) -> None:
    assert (mandarin(character), cantonese(character)) == (in_mandarin, in_cantonese)
