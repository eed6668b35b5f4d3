"""Batches that the worker process prepares for the writer."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from gateway.v1 import trace_pb2

_ROUGH_BITS = 32
"""Lowest bits of a key that its place in the order doesn't depend on: Python sorts numbers below 2**30 fastest."""


class PreparedItem(NamedTuple):
    """A parsed item of the log of records; a tuple, which is pickled four times as fast as a dataclass.

    Attributes:
        digest: SHA-256 of the content.
        declared_at: milliseconds since 1970; like `procedure` 0 for an addition.
        releasable_to: the release list; None: none.
    """

    position: int
    record_id: str
    kind: int
    recorded_at: int
    digest: bytes
    declared_at: int
    procedure: int
    retention_class: str
    releasable_to: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class KeyColumns:
    """Distinct pairs of a key and a position, as two arrays of 64-bit numbers.

    They are in the order of the keys' upper bits, so that a database meets each page of its index once. Sorting tuples
    took the node's writer as long as inserting them; as bytes they are passed between processes in no time.
    """

    keys: bytes = b""
    positions: bytes = b""

    @classmethod
    def of(cls, keys: Sequence[int], positions: Sequence[int]) -> KeyColumns:
        """Takes pairs in any order."""
        if len(keys) < 2:
            return cls(array("q", keys).tobytes(), array("q", positions).tobytes())
        rough = [key >> _ROUGH_BITS for key in keys]
        ordered = itemgetter(*sorted(range(len(keys)), key=rough.__getitem__))
        return cls(array("q", ordered(keys)).tobytes(), array("q", ordered(positions)).tobytes())

    def columns(self) -> tuple[list[int], list[int]]:
        """Keys, and the position of each."""
        return memoryview(self.keys).cast("q").tolist(), memoryview(self.positions).cast("q").tolist()


@dataclass(frozen=True, slots=True)
class IndexBatch:
    """Items after position `after` up to `last`, without erased ones.

    Attributes:
        keys: of all items.
        known, names: names in the tables by key, and new ones as (key, text).
        name_keys: (key of screening, key of the name).
    """

    after: int
    last: int
    items: tuple[PreparedItem, ...]
    keys: KeyColumns
    known: tuple[int, ...]
    names: tuple[tuple[int, str], ...]
    name_keys: tuple[tuple[int, int], ...]


class RecordOutcome(NamedTuple):
    """What inspections of a record came to.

    Attributes:
        inspected_at: milliseconds since 1970.
        subheadings: six digits each.
    """

    record_id: str
    inspected_at: int
    confirmed: bool
    subheadings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RiskBatch:
    """Hits on items after position `after` up to `last`, each with its evaluated position.

    Attributes:
        record_ids: of the evaluated records.
        outcomes: of those that were inspected.
    """

    after: int
    last: int
    positions: tuple[int, ...]
    hits: tuple[tuple[int, trace_pb2.Discrepancy], ...]
    record_ids: tuple[str, ...] = ()
    outcomes: tuple[RecordOutcome, ...] = ()
