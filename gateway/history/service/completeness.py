"""Proves that an answer has every record under the numbers that were asked for, and verifies that.

The asker's steps, over the proof beside a verified answer:

1. head: signed by one of the answerer's current log keys as head of its tree of keys; not of a time to come.
2. numbers: there is a proof for each key of the question's numbers, as the asker's directory allows them.
3. place: the head's verifiable random function gives that key this place, and no other.
4. tree: the list at the place, or that there is none, leads to the head's root.
5. records: a name that is opened is that of the record with this number in the answer; others count as untold.

What isn't proven: that everything that happened was recorded, what records say, and why an untold one is untold.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gateway.contract.limits import MAX_CLOCK_SKEW_MS
from gateway.db.database import Database
from gateway.errors import GatewayError, MalformedError, VerificationError
from gateway.history.codec.key_tree_heads import KeyTreeHead, head_origin, verified_head
from gateway.history.rules.key_tree import (
    MANY,
    MOST_RECORDS,
    NAME_BYTES,
    HiddenNames,
    hidden_name,
    list_value,
    number_bytes,
    split_names,
)
from gateway.history.rules.provable_numbers import provable_keys
from gateway.history.tables import key_tree, shipments
from gateway.history.tables.key_tree import StoredKeyTree
from gateway.tlog.checkpoint import sign_checkpoint
from gateway.tlog.note import Signer
from gateway.tlog.prefix_tree import HASH_BYTES, MapProof, prove, verified_value
from gateway.tlog.vrf import verify_vrf
from gateway.v1 import exchange_service_pb2, history_pb2

log = logging.getLogger(__name__)

_Pb = exchange_service_pb2


@dataclass(frozen=True, slots=True)
class Completeness:
    """What a verified proof says.

    Attributes:
        untold: most records under the numbers that the answer lacks.
    """

    head: KeyTreeHead
    untold: int


class CompletenessProver:
    """Proves answers complete by the tree of keys. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        federation: str,
        node: str,
        signer_for: Callable[[str], Signer],
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._federation, self._node = federation, node
        self._signer_for = signer_for
        self._clock = clock
        self._hidden = lru_cache(maxsize=1)(HiddenNames)

    def head_number(self) -> int:
        """Number of the present head; 0: none."""
        with self._database.look() as conn:
            return key_tree.state(conn).number

    def prove(self, number: int, keys: Sequence[int], record_ids: Sequence[str]) -> _Pb.CompletenessProof | None:
        """The proof for an answer with these records, in order.

        Args:
            number: of the head when the search began.

        Returns:
            None where there is none: the tree has moved on, so that it may have what wasn't searched; it doesn't list
            so many records; or it is damaged.
        """
        if not number or not keys or len(record_ids) > MOST_RECORDS:
            return None
        with self._database.read() as conn:
            state = key_tree.state(conn)
            if state.number != number or not state.position:
                return None
            hidden = self._hidden(state.secret)
            until_ms = shipments.recorded_after(conn, state.position) or self._clock()
            places = {key: hidden.place(key) for key in keys}
            reader = StoredKeyTree(conn)
            proofs = {key: prove(reader, place) for key, place in places.items()}
            lists = key_tree.leaves(conn, places.values())
        if any(row.value == MANY for row in lists.values()):
            return None
        head = KeyTreeHead(self._federation, self._node, number, state.root, hidden.public_key, until_ms)
        proof = _Pb.CompletenessProof()
        for key, place in places.items():
            names = split_names(lists[place].records) if place in lists else []
            if not _leads_to(state.root, place, proofs[key], names):
                return None
            listed = _opened(names, hidden, place, record_ids)
            proof.keys.append(_key_proof(hidden.prove_place(key), place, proofs[key], listed))
        origin = head_origin(self._federation, self._node)
        proof.head = sign_checkpoint(head.checkpoint(), self._signer_for(origin))
        return proof


def keys_to_prove(
    query: history_pb2.HistoryQuery, followed: Sequence[history_pb2.SearchCriteria], classes: Collection[str]
) -> list[int]:
    """Keys whose lists prove the whole answer to a query; empty: nothing can."""
    if query.before or query.as_of or query.HasField("match_declared_from") or query.HasField("match_declared_until"):
        return []
    return provable_keys((query.criteria, *query.alternatives, *followed), classes)


def verify_completeness(
    proof: _Pb.CompletenessProof,
    query: history_pb2.HistoryQuery,
    *,
    keys: Sequence[int],
    record_ids: Sequence[str],
    log_keys: Sequence[bytes],
    now_ms: int,
) -> Completeness | None:
    """Verifies a proof beside a verified answer; None if it isn't for these keys, as where two directories differ.

    Args:
        keys: those that must be proven.
        record_ids: of the answer, in order.
        log_keys: the answerer's.

    Raises:
        GatewayError: a step failed.
    """
    head = verified_head(proof.head, query.federation, query.answerer, log_keys)  # 1
    if head.until_ms > now_ms + MAX_CLOCK_SKEW_MS:
        raise VerificationError("the head of its tree is of a time to come", step="1 head")
    if not keys or len(proof.keys) != len(keys):  # 2
        return None
    untold = sum(_verified_key(head, key, of_key, record_ids) for key, of_key in zip(keys, proof.keys, strict=True))
    return Completeness(head, untold)


def _verified_key(head: KeyTreeHead, key: int, proof: _Pb.KeyProof, record_ids: Sequence[str]) -> int:
    """Steps 3 to 5 for one key; the number of records that aren't told."""
    if len(proof.records) > MOST_RECORDS:
        raise MalformedError(f"the list of a number has more than {MOST_RECORDS} records")
    place = verify_vrf(head.vrf_key, number_bytes(key), proof.place).place  # 3
    names, untold = list[bytes](), 0
    for listed in proof.records:  # 5
        if not listed.opening:
            names.append(listed.hidden_name)
            untold += 1
        elif listed.index < len(record_ids):
            names.append(hidden_name(listed.opening, record_ids[listed.index]))
        else:
            raise VerificationError("its list names a record that the answer hasn't", step="5 records")
    if any(len(name) != NAME_BYTES for name in names) or names != sorted(set(names)):
        raise MalformedError("the list of a number isn't in canonical form")
    siblings, leaf = _hashes(proof.siblings), None
    if names and not proof.other_leaf:
        leaf = (place, list_value(names))
    elif proof.other_leaf and not names:
        leaf = (proof.other_leaf[:HASH_BYTES], proof.other_leaf[HASH_BYTES:])
    elif names:
        raise MalformedError("a number has a list, and its place another leaf")
    value = verified_value(head.root, place, MapProof(siblings, leaf))  # 4
    if (value is not None) != bool(names):
        raise VerificationError("its tree has a list where the proof has none", step="4 tree")
    return untold


def _hashes(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def _leads_to(root: bytes, place: bytes, proof: MapProof, names: Sequence[bytes]) -> bool:
    try:
        if verified_value(root, place, proof) != (list_value(names) if names else None):
            raise VerificationError("a stored list isn't the one in the tree")
    except GatewayError as error:
        log.error("the tree of keys is damaged, and proves nothing: %s; run `gateway rebuild`", error.message)
        return False
    return True


def _opened(
    names: Sequence[bytes], hidden: HiddenNames, place: bytes, record_ids: Sequence[str]
) -> list[_Pb.ListedRecord]:
    """A list, with what opens the names of the answer's records."""
    openings: Mapping[bytes, tuple[bytes, int]] = {
        hidden_name(opening, record_id): (opening, index)
        for index, record_id in enumerate(record_ids if names else ())
        for opening in (hidden.opening(place, record_id),)
    }
    listed = []
    for name in names:
        if name in openings:
            opening, index = openings[name]
            listed.append(_Pb.ListedRecord(opening=opening, index=index))
        else:
            listed.append(_Pb.ListedRecord(hidden_name=name))
    return listed


def _key_proof(place_proof: bytes, place: bytes, proof: MapProof, records: Sequence[_Pb.ListedRecord]) -> _Pb.KeyProof:
    other = b"".join(proof.leaf) if proof.leaf is not None and proof.leaf[0] != place else b""
    return _Pb.KeyProof(place=place_proof, siblings=b"".join(proof.siblings), other_leaf=other, records=records)
