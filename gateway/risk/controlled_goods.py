"""Which goods are under export control on a date, as data with effective intervals and suspensions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, IntEnum, StrEnum

from gateway.contract.commodity_codes import normalise_code
from gateway.errors import MalformedError

LIST_TERRITORY = "CN"
"""Territory whose tariff the codes of the list belong to; beyond six digits no other territory's codes compare."""


class Confidence(IntEnum):
    """How far a statement can be relied on; ordered."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class ControlStatus(Enum):
    """Where a control stands on a date."""

    NOT_YET = "not yet"
    IN_FORCE = "in force"
    SUSPENDED = "suspended"
    ENDED = "ended"


class MatchBasis(StrEnum):
    """How a declared code met a line of the list.

    `national`: the declared code is the listed one, or lies within it. `hs6`: only the six-digit subheading is known to
    be the same, and the subheading also holds goods that aren't controlled.
    """

    NATIONAL = "national"
    HS6 = "hs6"


@dataclass(frozen=True, slots=True)
class Interval:
    """Days from `first` to `last`, both included; no end is known where `last` is None.

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
    """One line of the list: a commodity code, the substance meant, and when the control holds.

    Attributes:
        code: 6, 8 or 10 digits of the mainland's tariff.
        element: chemical symbol; empty where the control isn't on an element (equipment).
        substance: what is controlled under the code.
        form: forms that are meant, in words; empty where none is named.
        control_code: number in the dual-use list, e.g. `1C117.d`; empty where not known.
        announcement: the announcement that set the control up.
        announced: day of its publication.
        effective: days on which it holds, suspensions apart.
        suspensions: days on which it doesn't hold for the time being.
        suspended_by: the announcement that suspended it.
        confidence: how far the line was verified.
        title: the six-digit subheading in words.
        note: what to know about the line.
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
        """Where the control stands on a day."""
        if on < self.effective.first:
            return ControlStatus.NOT_YET
        if on not in self.effective:
            return ControlStatus.ENDED
        suspended = any(on in suspension for suspension in self.suspensions)
        return ControlStatus.SUSPENDED if suspended else ControlStatus.IN_FORCE


@dataclass(frozen=True, slots=True)
class ControlledGoodMatch:
    """A line of the list that a declared code meets, and how."""

    good: ControlledGood
    basis: MatchBasis

    @property
    def confidence(self) -> Confidence:
        """The line's own, but at most low where the subheading alone fits and the list is finer than that."""
        if self.basis is MatchBasis.HS6 and len(self.good.code) > 6:
            return Confidence.LOW
        return self.good.confidence


@dataclass(frozen=True, slots=True)
class ControlledGoods:
    """The list, ready to be asked."""

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
        """Codes of all lines on a substance, whenever they hold: by chemical symbol, or by words of its name.

        Args:
            substance: e.g. `Sb`, `antimony`, `antimony ingot`; letter case doesn't matter.
        """
        wanted = substance.casefold().split()
        return sorted(
            {
                good.code
                for good in self.goods
                if wanted and (wanted == [good.element.casefold()] or set(wanted) <= set(_words(good.substance)))
            }
        )

    def match(self, code: str, on: date, *, territory: str = "") -> list[ControlledGoodMatch]:
        """Lines in force on a day that a declared commodity code meets, the surest first.

        A mainland code of 8 or 10 digits meets lines with the same digits, as far as the shorter of the two goes. A
        six-digit code, or one of another or an unknown territory, meets by its first six digits.

        Args:
            code: 6, 8, 10 or 12 digits; dots and spaces don't matter.
            on: the day of the declaration, or the day to assess it for.
            territory: ISO 3166-1 code of the tariff the code comes from; empty where not known.

        Raises:
            MalformedError: the code isn't a commodity code of at least six digits.
        """
        digits = normalise_code(code)
        declared = digits if territory == LIST_TERRITORY else digits[:6]
        found = [
            ControlledGoodMatch(good, basis)
            for good in self._by_hs6.get(digits[:6], ())
            if good.status_on(on) is ControlStatus.IN_FORCE and (basis := _basis(declared, good.code))
        ]
        return sorted(found, key=lambda match: (-match.confidence, match.basis is MatchBasis.HS6, match.good.code))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _basis(declared: str, listed: str) -> MatchBasis | None:
    """How two codes of one subheading meet; None where they are known to differ beyond six digits.

    A listed code of six digits covers everything below it; a declared one of six may or may not be the listed good.
    """
    if declared.startswith(listed):
        return MatchBasis.NATIONAL if len(declared) > 6 else MatchBasis.HS6
    if len(declared) == 6:
        return MatchBasis.HS6
    return MatchBasis.NATIONAL if listed.startswith(declared) else None
