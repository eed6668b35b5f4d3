"""Parties and things by what identifies them.

A key is text: its space, `id` or `name`, a scheme, and a normalised value, e.g. `party:id:uscc:91440300715267260G`. Two
mentions with a key in common are one thing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from gateway.contract.identification.shipment_keys import clean_name, name_key
from gateway.v1 import link_graph_pb2, party_pb2
from gateway.v1.link_graph_pb2 import LinkedThing, LinkNodeKind

CONTAINER_SCHEME = "iso6346"

MIN_VALUE_CHARS = 4
"""Shorter identifiers and names are too common to connect anything. A judgement."""

MIN_HAN_NAME_CHARS = 2
"""The same for names in Han characters."""

_SEPARATOR = ":"
"""Between the four parts of a key; of these the last alone may have it."""


class Space(StrEnum):
    """Where keys are compared: a party is one whatever it does in a record."""

    PARTY = "party"
    ADDRESS = "address"
    VEHICLE = "vehicle"
    VESSEL = "vessel"
    CONTAINER = "container"


_SPACES: dict[LinkNodeKind.ValueType, Space] = {
    link_graph_pb2.LINK_NODE_KIND_PARTY: Space.PARTY,
    link_graph_pb2.LINK_NODE_KIND_DECLARANT: Space.PARTY,
    link_graph_pb2.LINK_NODE_KIND_ADDRESS: Space.ADDRESS,
    link_graph_pb2.LINK_NODE_KIND_VEHICLE: Space.VEHICLE,
    link_graph_pb2.LINK_NODE_KIND_VESSEL: Space.VESSEL,
    link_graph_pb2.LINK_NODE_KIND_CONTAINER: Space.CONTAINER,
}
KINDS: dict[Space, LinkNodeKind.ValueType] = {
    Space.PARTY: link_graph_pb2.LINK_NODE_KIND_PARTY,
    Space.ADDRESS: link_graph_pb2.LINK_NODE_KIND_ADDRESS,
    Space.VEHICLE: link_graph_pb2.LINK_NODE_KIND_VEHICLE,
    Space.VESSEL: link_graph_pb2.LINK_NODE_KIND_VESSEL,
    Space.CONTAINER: link_graph_pb2.LINK_NODE_KIND_CONTAINER,
}

Name = str
Numbered = tuple[str, str]
"""Scheme and value of an identifier, as written."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A thing as one record names it.

    Attributes:
        field: path in the record.
        role: what a party does in it, in lower case; empty for a thing.
    """

    space: Space
    names: tuple[Name, ...]
    identifiers: tuple[Numbered, ...]
    field: str
    role: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Its keys; none where nothing of it can be compared."""
        return keys_of(self.space, self.names, self.identifiers)


def space_of(kind: LinkNodeKind.ValueType) -> Space:
    """The space of a kind of node."""
    return _SPACES[kind]


def keys_of(space: Space, names: Iterable[Name], identifiers: Iterable[Numbered]) -> tuple[str, ...]:
    """Keys of a thing: of its identifiers first, in order and once each."""
    return tuple(dict.fromkeys((*_of_identifiers(space, identifiers), *_of_names(space, names))))


def _of_identifiers(space: Space, identifiers: Iterable[Numbered]) -> Iterator[str]:
    for scheme, value in identifiers:
        compact = compacted(value)
        if len(compact) < MIN_VALUE_CHARS:
            continue
        if space is Space.PARTY:
            yield _key(space, "id", scheme, compact)
        else:  # one number, whatever its scheme is called
            yield _key(space, "id", "", compact.removeprefix("IMO"))


def _of_names(space: Space, names: Iterable[Name]) -> Iterator[str]:
    for name in names:
        text = clean_name(name)
        if is_telling(text):
            yield _key(space, "name", "", text)


def is_telling(text: str) -> bool:
    """Whether a name is long enough to connect."""
    if len(text) >= MIN_VALUE_CHARS and text.isalnum():
        return True
    letters = sum(char.isalnum() for char in text)
    han = sum("\u4e00" <= char <= "\u9fff" for char in text)
    return letters >= MIN_VALUE_CHARS or han >= MIN_HAN_NAME_CHARS


def compacted(value: str) -> str:
    """Letters and digits, half width, upper case."""
    if value.isascii() and value.isalnum():
        return value.upper()
    return "".join(char for char in unicodedata.normalize("NFKC", value).upper() if char.isalnum())


def _key(space: Space, what: str, scheme: str, value: str) -> str:
    return _SEPARATOR.join((space, what, scheme, value))


_PARTY_NAME = _key(Space.PARTY, "name", "", "")


def term(key: str) -> int:
    """A key's number in the index, 62 bits; of a party's name that of the contract's `name_key`."""
    if key.startswith(_PARTY_NAME):
        return name_key(key.removeprefix(_PARTY_NAME))
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") >> 2


def thing_of(node_id: str) -> tuple[Space, tuple[Name, ...], tuple[Numbered, ...]] | None:
    """Reads a node's id, which is one of its keys; None for another text."""
    parts = node_id.split(_SEPARATOR, 3)
    if len(parts) != 4 or parts[0] not in set(Space) or parts[1] not in ("id", "name") or not parts[3]:
        return None
    space, what, scheme, value = Space(parts[0]), *parts[1:]
    names, identifiers = ((value,), ()) if what == "name" else ((), ((scheme, value),))
    return (space, names, identifiers) if keys_of(space, names, identifiers) == (node_id,) else None


def given(thing: LinkedThing) -> Mention:
    """A thing that a request names."""
    space = space_of(thing.kind)
    numbers = tuple((identifier.scheme, identifier.value) for identifier in thing.identifiers)
    return Mention(space, tuple(thing.names), numbers, "")


def identifiers_of(numbers: Iterable[Numbered]) -> list[party_pb2.Identifier]:
    """The contract's form."""
    return [party_pb2.Identifier(scheme=scheme, value=value) for scheme, value in numbers]
