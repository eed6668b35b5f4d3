"""Decides by a record's own release list to which partners it may be released, within what agreements allow."""

from __future__ import annotations

from collections.abc import Collection

from gateway.errors import Violation
from gateway.v1 import shipment_pb2


def is_releasable(shipment: shipment_pb2.Shipment, partner: str) -> bool:
    """Whether a record's list names a partner; a record without a list names all."""
    return not shipment.HasField("releasable_to") or partner in shipment.releasable_to.nodes


def unknown_members(shipment: shipment_pb2.Shipment, members: Collection[str]) -> list[Violation]:
    """Violations of a list that names others than members of the federation."""
    known = ", ".join(sorted(members))
    return [
        Violation(
            f"shipment.releasable_to.nodes[{at}]",
            "releasable_to.known",
            f"the directory has no member {node!r}; it names {known}",
        )
        for at, node in enumerate(shipment.releasable_to.nodes)
        if node not in members
    ]
