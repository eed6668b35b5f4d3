"""What a search looks for, as the worker process that knows names tells it to the node."""

from __future__ import annotations

from typing import NamedTuple

from gateway.casework.codec import contents
from gateway.casework.rules.words import compact, searched_words
from gateway.casework.tables.documents import WordQuery

SHORTEST_BEGINNING = 4
"""Characters from which a number is found by its beginning."""


class MatchedName(NamedTuple):
    """A recorded name that may be the one searched for.

    Attributes:
        score: from 0 to 1.
        because: the class and what makes the names alike.
    """

    text: str
    score: float
    because: str


class AlertSearchPlan(NamedTuple):
    """What is looked for.

    Attributes:
        whole: the text as a number; empty where it can't be one.
        words: of texts, that must all be there.
        names: recorded names, by key.
        too_common: more recorded names were candidates than are compared.
    """

    whole: str
    words: tuple[tuple[str, bool], ...]
    names: dict[int, MatchedName]
    too_common: bool = False

    @property
    def query(self) -> WordQuery:
        alternatives: list[tuple[tuple[str, bool], ...]] = []
        if self.whole:
            is_beginning = len(self.whole) >= SHORTEST_BEGINNING
            alternatives += [((f"{kind}{self.whole}", is_beginning),) for kind in contents.ValueKind]
        if self.words:
            alternatives.append(tuple((f"{contents.TEXT}{word}", beginning) for word, beginning in self.words))
        alternatives += [((f"{contents.NAME}{key}", False),) for key in self.names]
        return WordQuery(tuple(alternatives))


def number_plan(text: str) -> AlertSearchPlan | None:
    """The plan of a text that can't be a name, for which no vocabulary is needed; None for others."""
    stripped = text.strip()
    if stripped.isascii() and any(one.isdigit() for one in stripped) and len(stripped.split()) == 1:
        return AlertSearchPlan(whole_number(stripped), tuple(searched_words(stripped)), {})
    return None


def whole_number(text: str) -> str:
    """The text as a number or reference; one without digits is a word."""
    whole = compact(text)
    return whole if len(whole) >= SHORTEST_BEGINNING or any(one.isdigit() for one in whole) else ""
