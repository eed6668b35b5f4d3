"""What partners are asked about a node or record of a link graph, as the value of one button."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from gateway.v1.link_graph_pb2 import (
    LINK_NODE_KIND_CONTAINER,
    LINK_NODE_KIND_DECLARANT,
    LINK_NODE_KIND_PARTY,
    LINK_NODE_KIND_VEHICLE,
    LINK_NODE_KIND_VESSEL,
    LinkedThing,
    LinkGraphNode,
)

MOST_VALUES: Final = 4
"""Names or numbers of a node that are looked for."""

BEGINNINGS: Final = ("node_id", "hub", "record")
CRITERIA: Final = ("containers", "registrations", "vessel", "party_names", "party_identifiers", "record_ids")
"""Fields of the form of a search."""


@dataclass(frozen=True, slots=True)
class PartnerQuestion:
    """A criterion of a search, and the beginning of the graph that shows its answers.

    Attributes:
        begin, seed: field of the graph's form and its value; of `record` an own record's id.
        criterion, values: field of the search's form, and what it looks for.
    """

    begin: str
    seed: str
    criterion: str
    values: tuple[str, ...]

    @classmethod
    def of_node(cls, node: LinkGraphNode) -> Self | None:
        """About a node; None where a search has no criterion for it, as for an address."""
        criterion, values = _criterion(node.thing)
        if not values:
            return None
        return cls("hub" if node.hub else "node_id", node.id, criterion, tuple(_lines(values))[:MOST_VALUES])

    @classmethod
    def of_record(cls, record_id: str) -> Self:
        """About an own record."""
        return cls("record", record_id, "record_ids", (record_id,))

    @property
    def text(self) -> str:
        """The value of a button."""
        return "\n".join((f"{self.begin} {self.seed}", self.criterion, *self.values))

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Reads a button's value; None for another text."""
        first, *rest = text.split("\n")
        begin, _space, seed = first.partition(" ")
        if begin not in BEGINNINGS or not seed or len(rest) < 2 or rest[0] not in CRITERIA:
            return None
        return cls(begin, seed, rest[0], tuple(rest[1:]))


def _criterion(thing: LinkedThing) -> tuple[str, Sequence[str]]:
    names, numbers = list(thing.names), [identifier.value for identifier in thing.identifiers]
    match thing.kind:
        case k if k in (LINK_NODE_KIND_PARTY, LINK_NODE_KIND_DECLARANT):
            return ("party_names", names) if names else ("party_identifiers", numbers)
        case k if k == LINK_NODE_KIND_CONTAINER:
            return "containers", numbers
        case k if k == LINK_NODE_KIND_VEHICLE:
            return "registrations", numbers
        case k if k == LINK_NODE_KIND_VESSEL:
            return ("registrations", numbers) if numbers else ("vessel", names[:1])
        case _:
            return "", ()


def _lines(values: Sequence[str]) -> Iterator[str]:
    """Each on one line, and once."""
    return filter(None, dict.fromkeys(" ".join(value.split()) for value in values))
