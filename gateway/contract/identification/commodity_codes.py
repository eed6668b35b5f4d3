"""Commodity codes of the Harmonized System and its national extensions."""

from __future__ import annotations

import re

from gateway.errors import MalformedError

_CODE = re.compile(r"[0-9]{6}(?:[0-9]{2}){0,3}")


def normalise_code(code: str) -> str:
    """A commodity code's digits; raises MalformedError unless 6, 8, 10 or 12."""
    digits = code.replace(".", "").replace(" ", "")
    if _CODE.fullmatch(digits) is None:
        raise MalformedError(f"commodity code {code[:40]!r} must have 6, 8, 10 or 12 digits")
    return digits
