"""Batches that the worker process prepares for the writer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from gateway.v1 import trace_pb2


class PreparedItem(NamedTuple):
    """A parsed item of the log of records; a tuple, which is pickled four times as fast as a dataclass.

    Attributes:
        digest: SHA-256 of the content, hexadecimal.
        declared_at: milliseconds since 1970; like `procedure` 0 for an addition.
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
    """Items after position `after` up to `last`, without erased ones.

    Attributes:
        known, names: names in the tables by key, and new ones as (key, text).
        name_keys: (key of screening, key of the name).
    """

    after: int
    last: int
    items: tuple[PreparedItem, ...]
    known: tuple[int, ...]
    names: tuple[tuple[int, str], ...]
    name_keys: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class RiskBatch:
    """Hits on items after position `after` up to `last`, each with its evaluated position."""

    after: int
    last: int
    positions: tuple[int, ...]
    hits: tuple[tuple[int, trace_pb2.Discrepancy], ...]
