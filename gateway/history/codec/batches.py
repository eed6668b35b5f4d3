"""What is prepared for the tables of shipment history, between the process that prepares it and the one that writes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from gateway.v1 import history_pb2, trace_pb2


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


_fields = attrgetter(*PreparedItem.__slots__)


def _item(fields: Sequence[Any]) -> PreparedItem:
    position, record_id, kind, recorded_at, digest, declared_at, procedure, retention_class, keys = fields
    return PreparedItem(
        position, record_id, kind, recorded_at, digest, declared_at, procedure, retention_class, tuple(keys)
    )


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

    def encode(self) -> bytes:
        """The JSON form."""
        items = [_fields(item) for item in self.items]
        return json.dumps([self.after, self.last, items, self.known, self.names, self.name_keys]).encode()

    @classmethod
    def decode(cls, data: bytes) -> IndexBatch:
        """The inverse of `encode`."""
        after, last, items, known, names, name_keys = json.loads(data)
        return cls(
            after,
            last,
            tuple(_item(fields) for fields in items),
            tuple(known),
            tuple(map(tuple, names)),
            tuple(map(tuple, name_keys)),
        )


@dataclass(frozen=True, slots=True)
class RiskBatch:
    """What the rules found, from the item after position `after` to the one at `last`.

    Attributes:
        positions: of the revisions that were judged.
        hits: what was found, with the position of its revision, in order.
    """

    after: int
    last: int
    positions: tuple[int, ...]
    hits: tuple[tuple[int, trace_pb2.Discrepancy], ...]

    def encode(self) -> bytes:
        """The JSON form."""
        hits = [(at, b64encode(hit.SerializeToString(deterministic=True)).decode()) for at, hit in self.hits]
        return json.dumps([self.after, self.last, self.positions, hits]).encode()

    @classmethod
    def decode(cls, data: bytes) -> RiskBatch:
        """The inverse of `encode`."""
        after, last, positions, hits = json.loads(data)
        found: Sequence[tuple[int, str]] = hits
        return cls(
            after,
            last,
            tuple(positions),
            tuple((at, trace_pb2.Discrepancy.FromString(b64decode(hit))) for at, hit in found),
        )


def encode_names(names: Mapping[int, history_pb2.NameMatch]) -> bytes:
    """Names by their keys, as JSON."""
    found = [(key, b64encode(match.SerializeToString()).decode()) for key, match in names.items()]
    return json.dumps(found).encode()


def decode_names(data: bytes) -> dict[int, history_pb2.NameMatch]:
    """The inverse of `encode_names`."""
    return {key: history_pb2.NameMatch.FromString(b64decode(match)) for key, match in json.loads(data)}
