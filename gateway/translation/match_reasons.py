"""Says in the reader's language why a name agrees: the gateway gives its explanations in English."""

from __future__ import annotations

from typing import Final

from gateway.translation.filled_sentences import SentencePatterns
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked
from gateway.v1.watchlist_pb2 import MatchClass

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
        "the same text",
        "the same value",
        "only one of the schemes is known",
        "translation",
        "two ways to write one surname",
        "Western name absent in one",
        "word absent in one",
        "word of little weight absent in one",
        "words of the addresses agree",
        "one name in two transliterations",
        "one slip of a letter",
        "one sound in Korean",
        "same consonants",
        "same consonants as in pinyin",
        "several names are transcribed so",
        "transcription of a known name",
        "two spellings of one name",
    )
)
"""Parts of sentences between semicolons, and rules of tokens."""

PARTS: Final = frozenset(
    marked(
        "Han form",
        "Latin letters",
        "Western name",
        "core",
        "first name",
        "given name",
        "identifier",
        "legal form",
        "line of business",
        "normal form",
        "number",
        "place",
        "second name",
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

_FILLED: Final = SentencePatterns(
    marked(
        "the same identifier ({name})",
        "a weak alias: compatible at most, and its score counts {factor}",
        "the score stays below {number}",
        "Japanese reading of {text}",
        "romanised from {text}",
        "initial of {text}",
    )
)
"""Sentences with values."""

_CLASSES: Final = {
    "identical": MatchClass.MATCH_CLASS_IDENTICAL,
    "strong": MatchClass.MATCH_CLASS_STRONG,
    "compatible": MatchClass.MATCH_CLASS_COMPATIBLE,
}
_MARK: Final = SentencePatterns(marked("It may be {entry}, {listed}: {words}, {because}."))
"""At a node of a link graph that may be listed."""


def may_be_listed(sentence: str, *, entry: str) -> str:
    """Why a node of a link graph may be an entry of a list, in the reader's language; `entry`: how people call it."""
    found = _MARK.find(sentence)
    if found is None:
        return sentence
    message, values = found
    words = label_of(MatchClass, _CLASSES.get(values["words"], 0)) if values["words"] in _CLASSES else values["words"]
    return _(message, **{**values, "entry": entry, "words": words, "because": said(values["because"])})


def said(sentence: str) -> str:
    """The sentence in the reader's language, part by part; what isn't known stays as it came."""
    return "; ".join(map(_part, sentence.split("; ")))


def _part(text: str) -> str:
    if text in SENTENCES or text in PARTS:
        return _(text)
    found = _FILLED.find(text)
    return _(found[0], **found[1]) if found is not None else text
