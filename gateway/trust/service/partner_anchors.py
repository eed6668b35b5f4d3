"""The CAs that a TLS handshake on the peer port accepts."""

from __future__ import annotations

from collections.abc import Callable

from gateway.tls.certificates import inspect_ca
from gateway.trust.rules.directory import Directory


class PartnerAnchors:
    """CAs of all partners that the directory in force names, without revoked ones; PEM.

    What a node that was removed or a CA that was revoked has signed fails in the handshake. gRPC for Python knows no
    revocation of single certificates there: those are refused at their first call (`rpc.authentication`).
    """

    def __init__(
        self, directory: Callable[[], Directory], *, own: str, without: Callable[[], frozenset[str]] = frozenset
    ) -> None:
        """`without`: nodes that are left out now."""
        self._directory = directory
        self._own = own
        self._without = without
        self._made_of: tuple[Directory, frozenset[str]] | None = None
        self._pem = b""

    def __call__(self) -> bytes:
        """May be called from any thread; parses certificates only when the directory or `without` has changed."""
        directory, without = self._directory(), self._without()
        if self._made_of is None or directory is not self._made_of[0] or without != self._made_of[1]:
            self._pem = _usable_cas(directory, without | {self._own})
            self._made_of = directory, without
        return self._pem


def usable_cas(directory: Directory, node: str) -> tuple[str, ...]:
    """A node's CAs without revoked ones, PEM: what may have signed the certificate of its gateway."""
    return tuple(
        pem for pem in directory.tls_ca_pems(node) if not directory.is_revoked(inspect_ca(pem).fingerprint_sha256)
    )


def _usable_cas(directory: Directory, without: frozenset[str]) -> bytes:
    return "".join(
        pem for name in sorted(set(directory.nodes) - without) for pem in usable_cas(directory, name)
    ).encode()
