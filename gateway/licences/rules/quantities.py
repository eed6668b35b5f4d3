"""Compares and adds quantities in units of UN/ECE Recommendation 20, exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

_MASS = {"MGM": -3, "GRM": 0, "KGM": 3, "DTN": 5, "TNE": 6}
"""Units of mass, each with the power of ten of its grams."""

_SCALE = 14
"""Decimals that are counted: six of a quantity, four of a tolerance, three of a milligram, and one to spare."""


class Amount(NamedTuple):
    """What can be added and compared: a kind of unit ("mass", or a unit that stands alone) and a whole number of it."""

    kind: str
    amount: int

    def shown(self, unit: str) -> str:
        """As a decimal number of a unit of this kind, without needless zeros."""
        return _decimal(self.amount, _SCALE + _MASS.get(unit, 0))


def measure(quantity: str, unit: str) -> Amount:
    """A quantity as the contract writes it."""
    kind = "mass" if unit in _MASS else unit
    return Amount(kind, int(Decimal(quantity).scaleb(_SCALE + _MASS.get(unit, 0))))


def with_tolerance(quantity: Amount, percent: str) -> Amount:
    """The quantity and so many percent more; an empty text is none."""
    hundredths = int(Decimal(percent or "0").scaleb(2))
    return quantity._replace(amount=quantity.amount * (10_000 + hundredths) // 10_000)


def _decimal(number: int, decimals: int) -> str:
    digits = str(abs(number)).rjust(decimals + 1, "0")
    whole, fraction = digits[:-decimals], digits[-decimals:].rstrip("0")
    return ("-" if number < 0 else "") + (f"{whole}.{fraction}" if fraction else whole)
