"""Batches for the tables of shipment history: a worker process makes them, the writer keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.v1 import trace_pb2


@dataclass(frozen=True, slots=True)
class PreparedItem:
    """A recorded item with what can be known of it without the tables.

    Attributes:
        position, record_id, kind, recorded_at: as in the log of records.
        digest: SHA-256 of the content, hexadecimal.
        declared_at: in milliseconds since 1970; 0 for an addition.
        procedure: ShipmentProcedure; 0 for an addition.
        retention_class: as given.
        keys: by which it is found.
    """

    position: int
    record_id: str
    kind: int
    recorded_at: int
    digest: str
    declared_at: int
    procedure: int
    retention_class: str
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class IndexBatch:
    """Items from the one after position `after` to the one at `last`, prepared; those that were erased are left out.

    Attributes:
        known: keys of the names of parties that the tables have already.
        names: the other ones as (key, text).
        name_keys: under which keys of screening they are filed, as (key of screening, key of the name).
    """

    after: int
    last: int
    items: tuple[PreparedItem, ...]
    known: tuple[int, ...]
    names: tuple[tuple[int, str], ...]
    name_keys: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class RiskBatch:
    """Hits of the rules, from the item after position `after` to the one at `last`.

    Attributes:
        positions: of the revisions that were evaluated.
        hits: each with the position of its revision, in order.
    """

    after: int
    last: int
    positions: tuple[int, ...]
    hits: tuple[tuple[int, trace_pb2.Discrepancy], ...]
