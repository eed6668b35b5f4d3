"""Trees of keys without a database, and proofs by them: what a partner in a test's hands proves, truly or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.history.codec.key_tree_heads import KeyTreeHead, head_origin
from gateway.history.rules.key_tree import HiddenNames, list_value
from gateway.tlog.checkpoint import sign_checkpoint
from gateway.tlog.prefix_tree import EMPTY, Leaf, Tile, changed_tiles, prove
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2 as pb


class StoredMap:
    """A tree in dicts, as a database stores it."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.tiles: dict[str, Tile] = {}
        self.root = EMPTY

    def tile(self, prefix: str) -> Tile | None:
        return self.tiles.get(prefix)

    def leaves(self, prefix: str) -> Sequence[Leaf]:
        return sorted(leaf for leaf in self.values.items() if leaf[0].hex().startswith(prefix))

    def leaf_below(self, first: bytes, last: bytes) -> Leaf:
        (leaf,) = (leaf for leaf in self.values.items() if first <= leaf[0] <= last)
        return leaf

    def change(self, changes: Mapping[bytes, bytes | None]) -> None:
        changed = changed_tiles(self, changes)
        self.tiles |= changed.tiles
        self.root = changed.root
        for place, value in changes.items():
            if value is None:
                self.values.pop(place, None)
            else:
                self.values[place] = value


@dataclass
class ProvingPartner:
    """A partner's tree: ids of records by key.

    Attributes:
        key: its log key, which signs heads.
    """

    key: Any
    records: dict[int, Sequence[str]]
    number: int = 1
    names: HiddenNames = field(default_factory=lambda: HiddenNames((77).to_bytes(32) * 2))

    def proof(self, keys: Sequence[int], told: Sequence[str], *, until_ms: int) -> pb.CompletenessProof:
        """The proof for an answer with these records."""
        tree, lists = StoredMap(), dict[int, list[tuple[bytes, str]]]()
        for key, record_ids in self.records.items():
            place = self.names.place(key)
            lists[key] = sorted((self.names.name(place, record_id), record_id) for record_id in record_ids)
            tree.change({place: list_value([name for name, _ in lists[key]])})
        head = KeyTreeHead(FEDERATION, "hk", self.number, tree.root, self.names.public_key, until_ms)
        signer = self.key.named(head_origin(FEDERATION, "hk"))
        proof = pb.CompletenessProof(head=sign_checkpoint(head.checkpoint(), signer))
        for key in keys:
            place = self.names.place(key)
            way = prove(tree, place)
            made = proof.keys.add(place=self.names.prove_place(key), siblings=b"".join(way.siblings))
            if way.leaf is not None and way.leaf[0] != place:
                made.other_leaf = b"".join(way.leaf)
            for name, record_id in lists.get(key, ()):
                if record_id in told:
                    made.records.add(opening=self.names.opening(place, record_id), index=told.index(record_id))
                else:
                    made.records.add(hidden_name=name)
        return proof
