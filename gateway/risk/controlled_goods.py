"""Says which goods are under export control on a date."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from gateway.contract.identification.code_lists import normalise_code
from gateway.errors import MalformedError
from gateway.risk.announcements import Announcements, status_text
from gateway.risk.validity import HOLDS, Confidence, ControlPeriod, ControlStatus

LIST_TERRITORY = "CN"
"""Other territories' codes compare by six digits only."""

MAX_VERSION_CHARS = 64
"""The contract's limit on a rule's version."""


_AGAIN = Confidence.MEDIUM
"""At most, that a control holds again after its suspension: an extension may have been announced."""


class MatchBasis(StrEnum):
    """How declared goods match a line.

    `national`: the listed code or one within it. `hs6`: the subheading alone, which also holds goods that aren't
    controlled. `element`: the declared element, of a line without a code.
    """

    NATIONAL = "national"
    HS6 = "hs6"
    ELEMENT = "element"


class Basket(StrEnum):
    """Which code of a line also covers goods that aren't under control: the listed one, or its subheading alone."""

    NONE = ""
    CODE = "code"
    SUBHEADING = "subheading"


@dataclass(frozen=True, slots=True)
class ControlledGood:
    """A line of the list.

    Attributes:
        code: 6, 8 or 10 digits of the mainland's tariff; empty where the announcement names none.
        element: chemical symbol; empty for equipment.
        form: the substance's forms; may be empty.
        control_code: number in the dual-use list, e.g. `1C117.d`; may be empty.
        announced: day of publication of the announcement.
        title: the subheading in words.
        source: where the line was seen.
    """

    code: str
    element: str
    substance: str
    form: str
    control_code: str
    announcement: str
    announced: date
    validity: ControlPeriod
    confidence: Confidence = Confidence.LOW
    basket: Basket = Basket.NONE
    title: str = ""
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.code and normalise_code(self.code) != self.code:
            raise MalformedError(f"commodity code {self.code!r} must be digits alone")

    @property
    def hs6(self) -> str:
        return self.code[:6]

    def status_on(self, on: date) -> ControlStatus:
        return self.validity.status_on(on)

    def status_text(self, on: date) -> str:
        """Its state on a day in words, with what suspended it."""
        return status_text(self.validity, self.status_on(on), on)


@dataclass(frozen=True, slots=True)
class ControlledGoodMatch:
    """A line that declared goods match, how, and its state on that day."""

    good: ControlledGood
    basis: MatchBasis
    status: ControlStatus = ControlStatus.IN_FORCE

    @property
    def confidence(self) -> Confidence:
        """Low at most if only the subheading matches a finer line; medium at most after a suspension."""
        coarse = self.basis is MatchBasis.HS6 and len(self.good.code) > 6
        if coarse or self.basis is MatchBasis.ELEMENT:
            return Confidence.LOW
        return self.good.confidence if self.status is ControlStatus.IN_FORCE else min(self.good.confidence, _AGAIN)

    @property
    def basket(self) -> bool:
        """Whether goods that aren't under control are declared under this code too."""
        return self.good.basket is Basket.CODE or (
            self.good.basket is Basket.SUBHEADING and self.basis is not MatchBasis.NATIONAL
        )


@dataclass(frozen=True, slots=True)
class ControlledGoods:
    """The list with its look-ups, and the announcements behind it."""

    goods: tuple[ControlledGood, ...]
    announcements: Announcements = field(default_factory=Announcements)
    _by_hs6: Mapping[str, tuple[ControlledGood, ...]] = field(init=False, repr=False, compare=False)
    _uncoded: Mapping[str, tuple[ControlledGood, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, tuple[ControlledGood, ...]] = {}
        uncoded: dict[str, tuple[ControlledGood, ...]] = {}
        for good in self.goods:
            if good.code:
                index[good.hs6] = (*index.get(good.hs6, ()), good)
            elif good.element:
                uncoded[good.element] = (*uncoded.get(good.element, ()), good)
        object.__setattr__(self, "_by_hs6", index)
        object.__setattr__(self, "_uncoded", uncoded)

    def __iter__(self) -> Iterator[ControlledGood]:
        return iter(self.goods)

    def __len__(self) -> int:
        return len(self.goods)

    @property
    def version(self) -> str:
        """The newest announcement, with its day."""
        announced = [(good.announced, good.announcement) for good in self.goods]
        announced += [(row.announced, row.name) for row in self.announcements]
        day, name = max(announced)
        return f"{day.isoformat()} {name}"[:MAX_VERSION_CHARS]

    def lists(self, hs6: str, element: str = "") -> bool:
        """Whether a line has this subheading, or has no code and this element: the cheap test."""
        return hs6 in self._by_hs6 or element in self._uncoded

    def codes(self, substance: str) -> list[str]:
        """Codes of all lines on a substance, in force or not; its case doesn't matter."""
        wanted = substance.casefold().split()
        return sorted(
            {
                good.code
                for good in self.goods
                if good.code
                and wanted
                and (wanted == [good.element.casefold()] or set(wanted) <= set(_words(good.substance)))
            }
        )

    def match(self, code: str, on: date, *, territory: str = "") -> list[ControlledGoodMatch]:
        """Lines that hold on a day and that a code matches, most reliable first; as `lines`."""
        return [match for match in self.lines(code, on, territory=territory) if match.status in HOLDS]

    def lines(self, code: str, on: date, *, territory: str = "") -> list[ControlledGoodMatch]:
        """Lines that a code matches, whatever their state on a day, most reliable first.

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
            ControlledGoodMatch(good, basis, good.status_on(on))
            for good in self._by_hs6.get(digits[:6], ())
            if (basis := _basis(declared, good.code))
        ]
        return sorted(matches, key=_surest_first)

    def match_element(self, element: str, on: date) -> list[ControlledGoodMatch]:
        """Lines without a code that hold on a day for an element."""
        return [
            ControlledGoodMatch(good, MatchBasis.ELEMENT, status)
            for good in self._uncoded.get(element, ())
            if (status := good.status_on(on)) in HOLDS
        ]


def _surest_first(match: ControlledGoodMatch) -> tuple[object, ...]:
    in_force = match.status is ControlStatus.IN_FORCE
    return not in_force, -match.confidence, match.basis is MatchBasis.HS6, match.basket, match.good.code


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
