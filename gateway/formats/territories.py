"""Translates territories' names in lists to codes and back."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib import resources

MOST_CITY_CHARS = 128
"""As the contract has it."""

_CODE = re.compile(r"[A-Z]{2}")
_BESIDE_LETTERS = re.compile(r"[^\w]+")


def territory_code(text: str) -> str | None:
    """The code for a code or name; letter case, accents, points and commas don't matter. None: unknown."""
    named = _codes().get(_folded(text))
    return text if named is None and _CODE.fullmatch(text) else named


def territory_name(code: str) -> str:
    """The name for a code, or an unknown code itself."""
    row = _rows().get(code)
    return row["name"] if row else code


def place_in(text: str) -> tuple[str, str]:
    """Splits a place into the text before a final territory's name, which may have commas, and its code or empty."""
    parts = text.split(", ")
    for at in range(len(parts)):
        code = territory_code(", ".join(parts[at:]))
        if code:
            return ", ".join(parts[:at]), code
    return text, ""


@cache
def _rows() -> Mapping[str, Mapping[str, str]]:
    text = resources.files("gateway.reference").joinpath("territory_names.csv").read_text("utf-8")
    return {row["territory"]: row for row in csv.DictReader(text.splitlines())}


@cache
def _codes() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for code, row in _rows().items():
        for name in (row["name"], row["un"], row["ofac"], *row["others"].split("|")):
            if name:
                found[_folded(name)] = code
    return found


def _folded(text: str) -> str:
    plain = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    words = _BESIDE_LETTERS.sub(" ", plain.replace("&", " and ")).casefold().split()
    return " ".join("saint" if word == "st" else word for word in words)
