"""Batches for the tables of shipment history, as the worker process passes them to the node."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.v1 import trace_pb2


@dataclass(frozen=True, slots=True)
class PreparedItem:
    """A recorded item, parsed.

    Attributes:
        position, record_id, kind, recorded_at: as in the log of records.
        digest: SHA-256 of the content, hexadecimal.
        declared_at: in milliseconds since 1970; 0 for an addition.
        procedure: ShipmentProcedure; 0 for an addition.
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
    """Prepared items after position `after` up to `last`, without erased ones.

    Attributes:
        known: keys of names that the tables have.
        names: new names as (key, text).
        name_keys: the keys of screening under which they are filed, as (key of screening, key of the name).
    """

    after: int
    last: int
    items: tuple[PreparedItem, ...]
    known: tuple[int, ...]
    names: tuple[tuple[int, str], ...]
    name_keys: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class RiskBatch:
    """Hits of the rules on items after position `after` up to `last`.

    Attributes:
        positions: of the evaluated revisions.
        hits: each with the position of its revision, in order.
    """

    after: int
    last: int
    positions: tuple[int, ...]
    hits: tuple[tuple[int, trace_pb2.Discrepancy], ...]
