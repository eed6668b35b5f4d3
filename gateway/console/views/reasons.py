"""Says in the reader's language why a name agrees: the gateway gives its explanations in English."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _

SENTENCES: Final = frozenset(
    marked(
        "a brand that sounds near the pinyin",
        "equal in normal form",
        "given name absent in one",
        "initial",
        "legal form absent in one",
        "legal form equal",
        "legal form may be the same",
        "letters were read as the ones that they look like",
        "line of business absent in one",
        "no rule connects the two names",
        "number absent in one",
        "one names a person, the other an organisation, or things of different kinds",
        "only Latin letters agree",
        "only romanised forms agree",
        "other legal form",
        "other number",
        "other place",
        "place absent in one",
        "place equal, or one lies in the other",
        "same Han core",
        "same Han form",
        "same Latin letters",
        "same Latin letters, joined differently",
        "same Latin words in another order",
        "same identifier",
        "same meaning",
        "same number",
        "same word",
        "several Han names are romanised or translated so",
        "several Han names are romanised so",
        "several Han names are written so",
        "several Japanese names are read so",
        "several names are romanised so",
        "several names may be written so",
        "several persons may be written so",
        "spelt alike",
        "surname",
        "the Han forms are the same",
        "the Han forms are the same apart from a married woman's second surname",
        "the Han forms differ only in how the surname is written",
        "the Han names are the same apart from what carries little identity",
        "the same once punctuation and spaces are left out",
        "the same value",
        "only one of the schemes is known",
        "translation",
        "two ways to write one surname",
        "Western name absent in one",
        "word absent in one",
        "word of little weight absent in one",
        "words of the addresses agree",
    )
)
"""Parts of sentences between semicolons, and rules of tokens."""

PARTS: Final = frozenset(
    marked(
        "Han form",
        "Latin letters",
        "Western name",
        "core",
        "given name",
        "identifier",
        "legal form",
        "line of business",
        "normal form",
        "number",
        "place",
        "surname",
        "words",
        "words of little weight",
        "words of the longer address",
        "words of the longer name",
        "words of the shorter address",
        "words of the shorter name",
    )
)
"""What a score is made of."""

_FILLED: Final[Sequence[tuple[str, str]]] = (
    (r"the same identifier \((?P<name>.*)\)", N_("the same identifier ({name})")),
    (
        r"a weak alias: compatible at most, and its score counts (?P<factor>\S+)",
        N_("a weak alias: compatible at most, and its score counts {factor}"),
    ),
    (r"the score stays below (?P<number>\S+)", N_("the score stays below {number}")),
    (r"Japanese reading of (?P<text>.*)", N_("Japanese reading of {text}")),
    (r"romanised from (?P<text>.*)", N_("romanised from {text}")),
    (r"initial of (?P<text>.*)", N_("initial of {text}")),
)
"""Sentences with values: as the gateway gives them, and as they are translated."""


def said(sentence: str) -> str:
    """The sentence in the reader's language, part by part; what isn't known stays as it came."""
    return "; ".join(map(_part, sentence.split("; ")))


def _part(text: str) -> str:
    if text in SENTENCES or text in PARTS:
        return _(text)
    for pattern, message in _FILLED:
        found = re.fullmatch(pattern, text)
        if found:
            return _(message, **found.groupdict())
    return text
