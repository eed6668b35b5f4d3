"""Defines the result of a comparison: class, score, variants, tokens with their rules, and parts of the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.errors import MalformedError


class NameKind(StrEnum):
    """What a name names. `UNKNOWN` is guessed from the name."""

    PERSON = "person"
    ORGANISATION = "organisation"
    VESSEL = "vessel"
    VEHICLE = "vehicle"
    CONTAINER = "container"
    ADDRESS = "address"
    IDENTIFIER = "identifier"
    UNKNOWN = "unknown"


class MatchClass(IntEnum):
    """How reliable a hit is, in order.

    `COMPATIBLE`: maybe two writings of one name. Agreement in Latin letters alone, or of Han with a romanisation, is
    never more: 黃 and 王 are both Wong.
    `STRONG`: the same Han name apart from parts without identity (legal form, place, 集团) or a surname with two
    writings.
    `IDENTICAL`: the same simplified Han form, or the same identifier.
    """

    NONE = 0
    COMPATIBLE = 1
    STRONG = 2
    IDENTICAL = 3


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which a list takes a pair as compatible and as strong, in [0, 1]. They can only lower a class.

    Raises:
        MalformedError: out of range, or strong below compatible.
    """

    compatible: float = 0.8
    strong: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.compatible <= self.strong <= 1:
            raise MalformedError(
                f"thresholds need 0 < compatible ≤ strong ≤ 1, not {self.compatible} and {self.strong}: "
                "set them in the list's policy"
            )


DEFAULT_THRESHOLDS = Thresholds()


class TokenMatch(NamedTuple):
    """Tokens of each name, and the rule between them.

    An empty side: no counterpart. `agreement` in [0, 1]: 1 full, 0 contrary.
    """

    query: str
    candidate: str
    rule: str
    agreement: float


class ScorePart(NamedTuple):
    """A summand of the score: `weight` × `agreement`; weights sum to 1."""

    name: str
    weight: float
    agreement: float

    @property
    def contribution(self) -> float:
        return self.weight * self.agreement


class VariantPair(NamedTuple):
    """A compared pair and its score."""

    query: str
    candidate: str
    score: float


RawPart = tuple[str, float, float]
"""Name, unscaled weight, agreement."""

Tokens = Callable[[], tuple[TokenMatch, ...]]


class Explanation(NamedTuple):
    """Why a pair has its score."""

    because: str
    parts: tuple[ScorePart, ...]
    tokens: tuple[TokenMatch, ...]


class Verdict(NamedTuple):
    """Score of a pair of variants, and the highest class for this evidence. `explain` costs as much again."""

    query: str
    candidate: str
    score: float
    ceiling: MatchClass
    explain: Callable[[], Explanation]


class Comparison(NamedTuple):
    """Result of comparing two names.

    `score` sums the parts' contributions. `variants` lists compared pairs, the winner first. `because` explains the
    class in a sentence.
    """

    match_class: MatchClass
    score: float
    because: str
    variants: tuple[VariantPair, ...] = ()
    tokens: tuple[TokenMatch, ...] = ()
    parts: tuple[ScorePart, ...] = ()

    def turned(self) -> Comparison:
        return self._replace(
            variants=tuple(VariantPair(pair.candidate, pair.query, pair.score) for pair in self.variants),
            tokens=tuple(token._replace(query=token.candidate, candidate=token.query) for token in self.tokens),
        )

    def as_json(self) -> dict[str, Any]:
        """Class in lower case, parts with contributions."""
        return self._asdict() | {
            "match_class": self.match_class.name.lower(),
            "forms": [pair._asdict() for pair in self.variants],
            "tokens": [token._asdict() for token in self.tokens],
            "parts": [part._asdict() | {"contribution": round(part.contribution, 4)} for part in self.parts],
        }


@lru_cache(maxsize=4_096)
def weigh(parts: tuple[RawPart, ...]) -> tuple[ScorePart, ...]:
    """Weights scaled to sum to 1, without those of 0."""
    kept = [part for part in parts if part[1] > 0]
    total = sum([weight for _, weight, _ in kept])
    return tuple([ScorePart(name, round(weight / total, 6), agreement) for name, weight, agreement in kept])


@lru_cache(maxsize=4_096)
def score_of(parts: tuple[RawPart, ...]) -> float:
    """Sum of the parts' contributions."""
    return min(1.0, round(sum([weight * agreement for _, weight, agreement in weigh(parts)]), 4))


def same_han(han: str) -> Explanation:
    """Explanation of equal Han forms."""
    token = TokenMatch(han, han, "same Han form", 1.0)
    return Explanation("the Han forms are the same", weigh((("Han form", 1.0, 1.0),)), (token,))


def class_of(score: float, ceiling: MatchClass, thresholds: Thresholds) -> MatchClass:
    """Class of a score: the evidence's ceiling, lowered by thresholds."""
    if score < thresholds.compatible:
        return MatchClass.NONE
    if score < thresholds.strong:
        return min(ceiling, MatchClass.COMPATIBLE)
    return ceiling
