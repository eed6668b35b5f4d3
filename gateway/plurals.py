"""Numbers with what they count, in English sentences; texts that are translated have `ngettext`."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 entry`, `2 entries`; `many` where the plural isn't a regular one."""
    if number == 1:
        return f"1 {one}"
    if not many:
        many = f"{one[:-1]}ies" if one.endswith("y") and one[-2:-1] not in "aeiou" else f"{one}s"
    return f"{number} {many}"
