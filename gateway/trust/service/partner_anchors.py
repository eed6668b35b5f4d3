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

    def __init__(self, directory: Callable[[], Directory], *, own: str) -> None:
        self._directory = directory
        self._own = own
        self._made_of: Directory | None = None
        self._pem = b""

    def __call__(self) -> bytes:
        """May be called from any thread; parses certificates once for each version of the directory."""
        directory = self._directory()
        if directory is not self._made_of:
            self._pem = _usable_cas(directory, self._own)
            self._made_of = directory
        return self._pem


def _usable_cas(directory: Directory, own: str) -> bytes:
    pems = (pem for name in sorted(set(directory.nodes) - {own}) for pem in directory.tls_ca_pems(name))
    return "".join(pem for pem in pems if not directory.is_revoked(inspect_ca(pem).fingerprint_sha256)).encode()
