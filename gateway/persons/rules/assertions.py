"""What an assertion says, and whether it holds for a call."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from gateway.errors import SessionEndedError

MAX_SKEW_S = 5
"""Seconds that replicas' clocks may differ."""

MAX_ASSERTION_CHARS = 1_024
"""Longest assertion; ours have about 480."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionClaims:
    """Claims of a verified signature; times in seconds since 1970.

    Attributes:
        certificate: SHA-256 of the caller's certificate, lower-case hex (RFC 8705's `x5t#S256` in another spelling).
    """

    issuer: str
    audience: str
    subject: str
    session: str
    certificate: str
    issued_at: int
    expires_at: int

    @property
    def person(self) -> str:
        """The name at the end of the subject."""
        return self.subject.rpartition("/")[2]


def require_for_call(claims: AssertionClaims, *, audience: str, certificate: str, now_s: int, longest_s: int) -> None:
    """Requires that an assertion holds for a call.

    1. This node made it, for itself.
    2. It is in force, and for no longer than this node makes them.
    3. The caller has the certificate that it was made for.

    Raises:
        SessionEndedError: its message is for the audit log.
    """
    if claims.issuer != audience or claims.audience != audience:  # 1
        raise SessionEndedError(f"assertion: of {claims.issuer!r} for {claims.audience!r}, not of this node")
    if claims.expires_at - claims.issued_at > longest_s or claims.issued_at > now_s + MAX_SKEW_S:  # 2
        raise SessionEndedError("assertion: lasts too long or begins in the future")
    if now_s >= claims.expires_at:
        raise SessionEndedError("assertion: has expired")
    if claims.certificate != certificate:  # 3
        raise SessionEndedError("assertion: was made for another certificate")


def thumbprint(fingerprint_hex: str) -> str:
    """`x5t#S256` of a fingerprint: base64url without padding."""
    return base64.urlsafe_b64encode(bytes.fromhex(fingerprint_hex)).rstrip(b"=").decode()


def fingerprint(thumbprint_b64: str) -> str:
    """The reverse; raises ValueError."""
    padded = thumbprint_b64 + "=" * (-len(thumbprint_b64) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True).hex()
