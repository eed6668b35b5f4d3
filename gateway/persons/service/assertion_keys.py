"""Signs and verifies assertions with the keys of the node as they are now. Thread-safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import SessionEndedError
from gateway.persons.codec.assertions import AssertionKey, claimed_key_id
from gateway.persons.rules.assertion_keys import signed_until, signing_key
from gateway.persons.rules.assertions import AssertionClaims
from gateway.persons.tables.assertion_keys import AssertionKeyRow


@dataclass(frozen=True, slots=True)
class _Keys:
    keys: tuple[AssertionKey, ...]
    made_at: tuple[int, ...]


class AssertionKeys:
    """The keys of one node, the oldest first; `use` puts others in their place."""

    def __init__(self, rows: Sequence[AssertionKeyRow], *, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._keys = _Keys((), ())
        self.use(rows)

    def use(self, rows: Sequence[AssertionKeyRow]) -> None:
        """Signs and verifies with these from now on; at least one."""
        if tuple(row.made_at for row in rows) != self._keys.made_at:
            self._keys = _Keys(tuple(AssertionKey(row.seed) for row in rows), tuple(row.made_at for row in rows))

    def sign(self, claims: AssertionClaims) -> str:
        """A compact JWS by the newest key that all replicas know."""
        present = self._keys
        return present.keys[signing_key(present.made_at, self._clock())].sign(claims)

    def verify(self, unverified: str) -> AssertionClaims:
        """Claims of an assertion that a key of the node signed while it was the one that signs.

        Raises:
            SessionEndedError: its message is for the audit log.
        """
        present, named = self._keys, claimed_key_id(unverified)
        for index, key in enumerate(present.keys):
            if key.key_id == named:
                claims = key.verify(unverified)
                until_ms = signed_until(present.made_at, index)
                if until_ms is not None and claims.issued_at * 1000 > until_ms:
                    raise SessionEndedError("assertion: its key was replaced before it was made")
                return claims
        raise SessionEndedError("assertion: is signed by no key of this node")
