"""Cuts steps of alerts into the words under which they are found.

Parties and short texts come again and again, so their words are remembered. It loads the vocabularies of names.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from gateway.casework.codec import contents
from gateway.casework.codec.contents import TEXT
from gateway.casework.rules.words import LONGEST_WORD, compact, words_of
from gateway.contract.identification.shipment_keys import name_key
from gateway.screening.text.normalisation import simplified_text
from gateway.v1 import alert_pb2, party_pb2

LONGEST_REMEMBERED_TEXT = 128
"""Characters; with the number of texts it bounds memory: 40 MB if all were Han, some 4 MB of real ones."""

LONGEST_REMEMBERED_PARTY = 512
"""Bytes, likewise: 60 MB if all were Han, some 15 MB of real ones."""

Words = tuple[str, ...]


class PartyWords(NamedTuple):
    """What a party adds to a document.

    Attributes:
        names: as (key, text), each key once.
    """

    names: tuple[tuple[int, str], ...]
    of_identifiers: Words
    of_names: Words
    of_addresses: Words


class StepWords(NamedTuple):
    """What a step adds to a document; words in order, some more than once."""

    names: list[tuple[int, str]]
    words: list[Words]


def words_of_step(step: alert_pb2.AlertEvent) -> StepWords:
    """Names and words of one step."""
    found = StepWords([], [])
    whole = [*contents.contents_of([step])]
    for content in whole:
        _add_content(found, content)
    if not whole:
        found.words.extend(
            _of_value(contents.ValueKind.CASE_REFERENCE, text) for text in contents.case_references_of(step)
        )
        _add_texts(found.words, contents.texts_of_step(step))
    return found


def _add_content(found: StepWords, content: alert_pb2.AlertContent) -> None:
    names, words = found
    parties = [_of_party(party) for party in content.subject.parties]
    words += [_of_value(kind, text) for kind, text in contents.values_beside_parties(content)]
    for party in parties:
        names += party.names
        words.append(party.of_identifiers)
    words += [party.of_names for party in parties]
    _add_texts(words, contents.texts_of(content))
    words += [party.of_addresses for party in parties]


def _add_texts(words: list[Words], texts: Iterable[str]) -> None:
    words += [_remembered(text) if len(text) <= LONGEST_REMEMBERED_TEXT else _cut(text) for text in texts if text]


def _of_party(party: party_pb2.Party) -> PartyWords:
    serialised = party.SerializeToString()
    if len(serialised) > LONGEST_REMEMBERED_PARTY:
        return _party.__wrapped__(serialised)
    return _party(serialised)


@lru_cache(maxsize=8_192)
def _party(serialised: bytes) -> PartyWords:
    party = party_pb2.Party.FromString(serialised)
    names = {name_key(name.text): name.text for name in reversed(party.names)}
    written = dict.fromkeys(name.text for name in party.names)
    return PartyWords(
        tuple(names.items()),
        tuple(word for value in contents.identifiers_of(party) for word in _of_value(*value)),
        tuple(word for name in written for word in (f"{contents.NAME}{name_key(name)}", *_cut(name))),
        tuple(word for text in contents.address_texts_of(party) for word in _cut(text)),
    )


def _of_value(kind: str, text: str) -> Words:
    if text.isascii() and text.isalnum():
        word = text.lower()[:LONGEST_WORD]
        return kind + word, TEXT + word
    whole = compact(text)
    return (kind + whole, TEXT + whole, *_cut(text)) if whole else ()


def _cut(text: str) -> Words:
    plain = text if text.isascii() else simplified_text(text)
    return tuple([TEXT + word for word in words_of(plain)])


_remembered = lru_cache(maxsize=4_096)(_cut)
