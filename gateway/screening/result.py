"""What a comparison of two names says: class, score, which forms, which tokens by which rule, and the score's parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.errors import MalformedError


class NameKind(StrEnum):
    """What a name names. `UNKNOWN` is for a party whose kind wasn't declared: it is guessed from the name itself."""

    PERSON = "person"
    ORGANISATION = "organisation"
    VESSEL = "vessel"
    VEHICLE = "vehicle"
    CONTAINER = "container"
    ADDRESS = "address"
    IDENTIFIER = "identifier"
    UNKNOWN = "unknown"


class MatchClass(IntEnum):
    """How far a hit can be relied on; ordered.

    `COMPATIBLE`: the names may be two writings of one name; so may others. Whatever agrees in Latin letters alone is
    never more than this, and neither is Han against a romanisation: 黃 and 王 are both Wong.
    `STRONG`: the same Han name apart from what carries no identity (legal form, place prefix, 集团), or apart from a
    surname that is written in two ways.
    `IDENTICAL`: the same Han form once traditional characters are simplified, or the same identifier.
    """

    NONE = 0
    COMPATIBLE = 1
    STRONG = 2
    IDENTICAL = 3


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which a list takes a pair as compatible, and from which as strong; both in [0, 1].

    The evidence sets the highest class a pair can have; thresholds can only lower it.

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
    """One token, or run of tokens, of each name, and the rule that holds between them.

    An empty side means the other has no counterpart there. `agreement` is in [0, 1]: 1 agrees fully, 0 is contrary.
    """

    query: str
    candidate: str
    rule: str
    agreement: float


class ScorePart(NamedTuple):
    """One summand of the score: `weight` × `agreement`. The weights of a comparison sum to 1."""

    name: str
    weight: float
    agreement: float

    @property
    def contribution(self) -> float:
        return self.weight * self.agreement


class VariantPair(NamedTuple):
    """One pair of forms that was compared: how each name was read, and what came out."""

    query: str
    candidate: str
    score: float


RawPart = tuple[str, float, float]
"""A part before weights are scaled: name, weight, agreement."""

Tokens = Callable[[], tuple[TokenMatch, ...]]
"""Makes tokens when somebody asks for them."""


class Explanation(NamedTuple):
    """Why a pair of forms has its score."""

    because: str
    parts: tuple[ScorePart, ...]
    tokens: tuple[TokenMatch, ...]


class Verdict(NamedTuple):
    """Outcome for one pair of forms: score, and the highest class that this kind of evidence allows.

    `explain` says why. It costs as much as the verdict itself, so it is called for what is given back alone.
    """

    query: str
    candidate: str
    score: float
    ceiling: MatchClass
    explain: Callable[[], Explanation]


class Comparison(NamedTuple):
    """Result of comparing two names.

    `score` is the sum of the contributions of `parts`. `forms` lists what was tried, the winner first. `because` says
    in one sentence why the class is what it is.
    """

    match_class: MatchClass
    score: float
    because: str
    variants: tuple[VariantPair, ...] = ()
    tokens: tuple[TokenMatch, ...] = ()
    parts: tuple[ScorePart, ...] = ()

    def turned(self) -> Comparison:
        """The same comparison seen from the other side: query and candidate change places."""
        return self._replace(
            variants=tuple(VariantPair(pair.candidate, pair.query, pair.score) for pair in self.variants),
            tokens=tuple(token._replace(query=token.candidate, candidate=token.query) for token in self.tokens),
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON document; the class by its lower-case name, parts with their contribution."""
        return self._asdict() | {
            "match_class": self.match_class.name.lower(),
            "forms": [pair._asdict() for pair in self.variants],
            "tokens": [token._asdict() for token in self.tokens],
            "parts": [part._asdict() | {"contribution": round(part.contribution, 4)} for part in self.parts],
        }


@lru_cache(maxsize=4_096)
def weigh(parts: tuple[RawPart, ...]) -> tuple[ScorePart, ...]:
    """Score parts with weights scaled to sum to 1; those of weight 0 are left out."""
    kept = [part for part in parts if part[1] > 0]
    total = sum([weight for _, weight, _ in kept])
    return tuple([ScorePart(name, round(weight / total, 6), agreement) for name, weight, agreement in kept])


@lru_cache(maxsize=4_096)
def score_of(parts: tuple[RawPart, ...]) -> float:
    """Score of parts: the sum of their contributions."""
    return min(1.0, round(sum([weight * agreement for _, weight, agreement in weigh(parts)]), 4))


def same_han(han: str) -> Explanation:
    """Why two names with one Han form are identical."""
    token = TokenMatch(han, han, "same Han form", 1.0)
    return Explanation("the Han forms are the same", weigh((("Han form", 1.0, 1.0),)), (token,))


def class_of(score: float, ceiling: MatchClass, thresholds: Thresholds) -> MatchClass:
    """Class of a score: what the evidence allows at most, lowered by the list's thresholds."""
    if score < thresholds.compatible:
        return MatchClass.NONE
    if score < thresholds.strong:
        return min(ceiling, MatchClass.COMPATIBLE)
    return ceiling
