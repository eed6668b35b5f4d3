"""Finds the message that a sentence was made of, and its values: the gateway says sentences in English.

Sentences come from partners too, so the search takes linear time: each literal is looked for once, from where the one
before it ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class SentencePattern:
    """A message with `{placeholders}`: `literals` has one more member than `names`."""

    message: str
    literals: tuple[str, ...]
    names: tuple[str, ...]

    def values_in(self, sentence: str) -> dict[str, str] | None:
        """What stands at the placeholders; None where the sentence isn't made of this message."""
        first, *following = self.literals
        if not sentence.startswith(first):
            return None
        at, values = len(first), {}
        for name, literal in zip(self.names, following, strict=True):
            last = name == self.names[-1]
            end = _end(sentence, literal, at) if last else sentence.find(literal, at)
            if end < 0:
                return None
            values[name] = sentence[at:end]
            at = end + len(literal)
        return values if at == len(sentence) else None


def _end(sentence: str, literal: str, at: int) -> int:
    end = len(sentence) - len(literal)
    return end if end >= at and sentence.endswith(literal) else -1


class SentencePatterns:
    """Messages, of which the one with the most literal text is tried first."""

    def __init__(self, messages: Iterable[str]) -> None:
        patterns = map(_pattern, messages)
        self._patterns = sorted(patterns, key=lambda one: -sum(map(len, one.literals)))

    def find(self, sentence: str) -> tuple[str, Mapping[str, str]] | None:
        """The message and its values; None where no message fits."""
        return next(self.fitting(sentence), None)

    def fitting(self, sentence: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Each message that fits, with its values."""
        for pattern in self._patterns:
            values = pattern.values_in(sentence)
            if values is not None:
                yield pattern.message, values


def _pattern(message: str) -> SentencePattern:
    parts = _PLACEHOLDER.split(message)
    return SentencePattern(message, tuple(parts[::2]), tuple(parts[1::2]))
