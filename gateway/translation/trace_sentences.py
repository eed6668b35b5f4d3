"""Says in the reader's language why records of a trace belong together; what isn't known stays as it came."""

from __future__ import annotations

from typing import Final

from gateway.translation.filled_sentences import SentencePatterns
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed, marked, ngettext

LINKS: Final = marked(
    "Both name the container {value}, {apart}, and no other trip of it lies between.",
    "Both name the electronic lock {value}, {apart}, and no other trip of it lies between.",
    "Both name the vehicle {value}, {apart}, and no other trip of it lies between.",
    "Both name the seal {value}, {apart}.",
    "Both name the UCR {value}.",
    "Both name the transport document {value}.",
    "Both name the declaration {value}.",
    "Both give {value} as their previous document.",
    "{record} gives {value} as its previous document; that is the transport document of {other}.",
    "{record} gives {value} as its previous document; that is the declaration of {other}.",
    "Both name {party}, with {one_kg} kg and {other_kg} kg net ({share} apart), {apart}.",
    "Both are of {goods}, with {one_kg} kg and {other_kg} kg net ({share} apart), {apart}; both name {name}.",
    "{node} found it when asked for {asked}; that stands in its revision {revision} and no longer in the newest.",
    "{node} found it when asked for {asked}; what it names itself is withheld.",
    "{node} found it when asked for {asked}.",
)
"""Links of records."""

_LINKS: Final = SentencePatterns(LINKS)
_ONE_OF: Final = "one of "


def link_reason(sentence: str) -> str:
    """The reason in the reader's language."""
    found = _LINKS.find(sentence)
    if found is None:
        return sentence
    message, values = found
    return _(message, **{name: _value(name, text) for name, text in values.items()})


def _value(name: str, text: str) -> str:
    if name == "apart":
        return _apart(text)
    if name == "asked" and text.startswith(_ONE_OF):
        return _("one of {values}", values=listed(text.removeprefix(_ONE_OF).split(", ")))
    return text


def _apart(text: str) -> str:
    if text == "within a day":
        return _("within a day")
    number, _space, rest = text.partition(" ")
    if rest not in ("day apart", "days apart") or not (number.isascii() and number.isdecimal() and len(number) < 6):
        return text
    return ngettext("{number} day apart", "{number} days apart", int(number))
