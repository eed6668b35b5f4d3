"""Says in the reader's language why a risk rule fired; sentences of an authority's own rules stay as they came."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Final

from gateway.translation.filled_sentences import SentencePatterns
from gateway.translation.identifier_words import scheme_word
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked
from gateway.translation.notices import noticed
from gateway.translation.numbers import NUMBER, grouped, in_readers_form

_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_.]*)(?::[a-z]+)?\}")

_DECIMAL: Final = re.compile(r"-?[0-9]+\.[0-9]+( ?%)?")

_AMOUNT: Final = re.compile(r"(?:^|_)(?:kg|usd|value|stated|items)(?:_|$)")
"""In the name of what is a mass or sum of money; other digits may be a code."""

VALUES: Final = frozenset(
    marked(
        "the national code",
        "six digits alone",
        "the element alone",
        "in force",
        "suspended",
        "no code",
        "not shown",
        "none",
        "not known",
        "unknown means",
        "The shipment",
        "lock",
        "seal",
        "value",
        "gross mass",
        "net mass",
        "net",
        "gross",
        "net of one side above the gross",
    )
)
"""Words that packaged rules fill in."""

REMARKS: Final = marked(
    "The control holds again after a suspension; an extension is not known to this data.",
    "Goods that are not under control have this code too: element, purity and form decide.",
    "To this destination licences are refused in principle.",
    "No goods under control may go to entities of the control list.",
    "Entities of the watch list get goods under control with single licences alone.",
    "A list holds again after a suspension; an extension is not known to this data.",
    "The name is only alike.",
    "The record doesn't say where the goods were made.",
    "The record doesn't say what share of their value is Chinese, nor by whose technology they were made.",
    "Technology that goes along has no code and is in no record.",
)
"""Sentences that packaged rules add at the end."""


def message_of(explanation: str) -> str:
    """The text to translate of a rule's explanation: `{t.days}` becomes `{t_days}`, `{share:percent}` `{share}`."""
    return _PLACEHOLDER.sub(lambda found: "{" + found[1].replace(".", "_") + "}", explanation)


def packaged_messages() -> dict[str, str]:
    """Texts to translate, by rule; without those that consist of values alone."""
    text = resources.files("gateway.reference").joinpath("risk_rules.toml").read_text("utf-8")
    messages = {rule["id"]: message_of(rule["explanation"]) for rule in tomllib.loads(text)["rules"]}
    return {rule: message for rule, message in messages.items() if re.search("[a-z]", re.sub(r"{[^{}]*}", "", message))}


def explained(sentence: str) -> str:
    """The explanation of a hit of a packaged rule in the reader's language; any other as it came."""
    found = _packaged().find(sentence) or _packaged().find(f"{sentence} ")  # the space before an empty end is cut off
    if found is None:
        return sentence
    message, values = found
    return _(message, **{name: _value(name, text) for name, text in values.items()}).rstrip()


def _value(name: str, text: str) -> str:
    if text in VALUES:
        return _(text)
    if name == "scheme":
        return scheme_word(text)
    if name == "message":
        return noticed(text)
    if _AMOUNT.search(name) and NUMBER.fullmatch(text):
        return grouped(text)
    if _DECIMAL.fullmatch(text):  # codes have digits alone
        return in_readers_form(text)
    for remark in REMARKS:
        text = text.replace(remark, _(remark))
    return text


@cache
def _packaged() -> SentencePatterns:
    return SentencePatterns(packaged_messages().values())
