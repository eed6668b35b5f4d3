"""Says which goods are under export control on a date."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, IntEnum, StrEnum

from gateway.contract.identification.commodity_codes import normalise_code
from gateway.errors import MalformedError

LIST_TERRITORY = "CN"
"""Other territories' codes compare by six digits only."""


class Confidence(IntEnum):
    """How reliable a statement is, in order."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class ControlStatus(Enum):
    """State of a control on a date."""

    NOT_YET = "not yet"
    IN_FORCE = "in force"
    SUSPENDED = "suspended"
    ENDED = "ended"


class MatchBasis(StrEnum):
    """How a declared code matches a line.

    `national`: the listed code or one within it. `hs6`: the subheading alone, which also holds goods that aren't
    controlled.
    """

    NATIONAL = "national"
    HS6 = "hs6"


@dataclass(frozen=True, slots=True)
class Interval:
    """Days from `first` to `last`, inclusive; `last` is None without a known end.

    Raises:
        MalformedError: the last day comes before the first.
    """

    first: date
    last: date | None = None

    def __post_init__(self) -> None:
        if self.last is not None and self.last < self.first:
            raise MalformedError(f"an interval can't end on {self.last} before it begins on {self.first}")

    def __contains__(self, on: date) -> bool:
        return self.first <= on and (self.last is None or on <= self.last)


@dataclass(frozen=True, slots=True)
class ControlledGood:
    """A line of the list.

    Attributes:
        code: 6, 8 or 10 digits of the mainland's tariff.
        element: chemical symbol; empty for equipment.
        form: the substance's forms; may be empty.
        control_code: number in the dual-use list, e.g. `1C117.d`; may be empty.
        announced: day of publication.
        effective: days on which it holds, suspensions apart.
        suspended_by: announcement of the suspension.
        title: the subheading in words.
    """

    code: str
    element: str
    substance: str
    form: str
    control_code: str
    announcement: str
    announced: date
    effective: Interval
    suspensions: tuple[Interval, ...] = ()
    suspended_by: str = ""
    confidence: Confidence = Confidence.LOW
    title: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if normalise_code(self.code) != self.code:
            raise MalformedError(f"commodity code {self.code!r} must be digits alone")

    @property
    def hs6(self) -> str:
        return self.code[:6]

    def status_on(self, on: date) -> ControlStatus:
        if on < self.effective.first:
            return ControlStatus.NOT_YET
        if on not in self.effective:
            return ControlStatus.ENDED
        suspended = any(on in suspension for suspension in self.suspensions)
        return ControlStatus.SUSPENDED if suspended else ControlStatus.IN_FORCE


@dataclass(frozen=True, slots=True)
class ControlledGoodMatch:
    """A line that a declared code matches, and how."""

    good: ControlledGood
    basis: MatchBasis

    @property
    def confidence(self) -> Confidence:
        """Low at most if only the subheading matches a finer line."""
        if self.basis is MatchBasis.HS6 and len(self.good.code) > 6:
            return Confidence.LOW
        return self.good.confidence


@dataclass(frozen=True, slots=True)
class ControlledGoods:
    """The list with its look-ups."""

    goods: tuple[ControlledGood, ...]
    _by_hs6: Mapping[str, tuple[ControlledGood, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, tuple[ControlledGood, ...]] = {}
        for good in self.goods:
            index[good.hs6] = (*index.get(good.hs6, ()), good)
        object.__setattr__(self, "_by_hs6", index)

    def __iter__(self) -> Iterator[ControlledGood]:
        return iter(self.goods)

    def __len__(self) -> int:
        return len(self.goods)

    def codes(self, substance: str) -> list[str]:
        """Codes of all lines on a substance, in force or not; its case doesn't matter."""
        wanted = substance.casefold().split()
        return sorted(
            {
                good.code
                for good in self.goods
                if wanted and (wanted == [good.element.casefold()] or set(wanted) <= set(_words(good.substance)))
            }
        )

    def match(self, code: str, on: date, *, territory: str = "") -> list[ControlledGoodMatch]:
        """Lines in force on a day that a code matches, most reliable first.

        A mainland code of 8 or 10 digits matches as far as the shorter of both goes; others match by six digits.

        Args:
            code: 6, 8, 10 or 12 digits; dots and spaces don't matter.
            territory: ISO 3166-1 code of the tariff; may be empty.

        Raises:
            MalformedError: fewer than six digits, or no code.
        """
        digits = normalise_code(code)
        declared = digits if territory == LIST_TERRITORY else digits[:6]
        matches = [
            ControlledGoodMatch(good, basis)
            for good in self._by_hs6.get(digits[:6], ())
            if good.status_on(on) is ControlStatus.IN_FORCE and (basis := _basis(declared, good.code))
        ]
        return sorted(matches, key=lambda match: (-match.confidence, match.basis is MatchBasis.HS6, match.good.code))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _basis(declared: str, listed: str) -> MatchBasis | None:
    """None if the codes differ beyond six digits.

    A listed code of six digits covers all below it; a declared one of six may or may not be the listed good.
    """
    if declared.startswith(listed):
        return MatchBasis.NATIONAL if len(declared) > 6 else MatchBasis.HS6
    if len(declared) == 6:
        return MatchBasis.HS6
    return MatchBasis.NATIONAL if listed.startswith(declared) else None
