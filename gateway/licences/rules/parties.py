"""Compares the party that a licence names with the one of a declaration.

Without a dictionary or a score: every node must come to the same result.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from gateway.v1 import party_pb2

_LEGAL_FORMS = frozenset({"and", "co", "company", "corp", "corporation", "inc", "limited", "llc", "ltd", "plc", "the"})
_WORD = re.compile(r"\w+")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


def is_other(licensed: party_pb2.Party, declared: party_pb2.Party) -> bool:
    """Whether a declared party is surely another than the licensed one.

    An identifier of one scheme decides; else names of one script do, whatever their case, punctuation, order of words
    and legal form in English. What can't be compared isn't another.
    """
    identifiers = _identifiers(licensed), _identifiers(declared)
    schemes = identifiers[0].keys() & identifiers[1].keys()
    if schemes:
        return all(identifiers[0][scheme].isdisjoint(identifiers[1][scheme]) for scheme in schemes)
    names = _names(licensed.names), _names(declared.names)
    scripts = names[0].keys() & names[1].keys()
    return bool(scripts) and all(names[0][script].isdisjoint(names[1][script]) for script in scripts)


def _identifiers(party: party_pb2.Party) -> dict[tuple[str, str], set[str]]:
    by_scheme: dict[tuple[str, str], set[str]] = {}
    for identifier in party.identifiers:
        value = "".join(_WORD.findall(_folded(identifier.value)))
        by_scheme.setdefault((identifier.scheme, identifier.territory), set()).add(value)
    return by_scheme


def _names(names: Iterable[party_pb2.Name]) -> dict[str, set[frozenset[str]]]:
    by_script: dict[str, set[frozenset[str]]] = {}
    for name in names:
        words = frozenset(_WORD.findall(_folded(name.text)))
        script = "han" if _HAN.search(name.text) else "other"
        by_script.setdefault(script, set()).add(words - _LEGAL_FORMS or words)
    return by_script


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
