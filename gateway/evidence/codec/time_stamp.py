"""Time stamps of RFC 3161: what a node asks a time-stamping authority (TSA), and what the answer proves.

A stamp is trusted in these steps:

1. The answer is in the one form in which it is kept: status "granted" and a token, in DER.
2. The token is on SHA-256 of these bytes, and has the nonce of the request where that is known.
3. The certificate that signed it is one that the verifier trusts, and is for time-stamping.
4. Its signature verifies under these certificates, at the time that it states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import ConfigurationError, GatewayError, MalformedError, SignatureInvalidError, TooLargeError

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

MAX_ANSWER_BYTES: Final = 32 * 1024
"""Largest answer of a TSA in bytes; one with a chain of certificates has some 6 kB."""

MAX_CERTIFICATES_BYTES: Final = 256 * 1024
"""Largest file of certificates in bytes."""

MEDIA_TYPES: Final = ("application/timestamp-query", "application/timestamp-reply")
"""Of a request and an answer over HTTP, RFC 3161, section 3.4."""

_GRANTED: Final = bytes.fromhex("3003020100")  # PKIStatusInfo with status 0 and nothing else
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


@dataclass(frozen=True, slots=True)
class TimeStampRequest:
    """A request for a stamp: `encoded` holds SHA-256 of the data and the nonce, and nothing else of them."""

    data: bytes
    encoded: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class VerifiedTimeStamp:
    """A token whose signature verifies.

    Attributes:
        time: when the TSA saw the digest, by its clock.
        authority: subject of the certificate that signed, RFC 4514.
        certificate_sha256: of that certificate in DER, lower-case hexadecimal.
        is_trusted: whether the verifier named that certificate; otherwise it is the token's own claim.
    """

    time: datetime
    authority: str
    certificate_sha256: str
    is_trusted: bool


def new_request(data: bytes) -> TimeStampRequest:
    """A request with a new nonce; raises ConfigurationError where the library is missing."""
    library = time_stamp_library()
    made = library.TimestampRequestBuilder(data=data, hash_algorithm=library.HashAlgorithm.SHA256).build()
    return TimeStampRequest(data, made.as_bytes(), made.nonce)


def verified_answer(
    answer: bytes, request: TimeStampRequest, certificates: Sequence[x509.Certificate]
) -> tuple[bytes, VerifiedTimeStamp]:
    """An answer to a request as it is kept, and what it proves; raises as `verify_time_stamp`."""
    kept = _kept_form(_decoded(answer))
    return kept, verify_time_stamp(kept, request.data, certificates, nonce=request.nonce)


def verify_time_stamp(
    stamp: bytes, data: bytes, certificates: Sequence[x509.Certificate], *, nonce: int | None = None
) -> VerifiedTimeStamp:
    """Verifies a stamp on some bytes, by the steps above.

    Args:
        certificates: the TSA's that the verifier trusts, with those of its CAs; without any, step 3 is left out and the
            token's own count in step 4.
        nonce: of the request.

    Raises:
        ConfigurationError: the library isn't installed, or the certificates lack that of a root.
        TooLargeError, MalformedError: step 1.
        SignatureInvalidError: step 2, 3 or 4.
    """
    library = time_stamp_library()
    response = _decoded(stamp)
    if _kept_form(response) != stamp:  # 1
        raise MalformedError("the time stamp isn't in the form in which it is kept")
    with _reading():
        info = response.tst_info
        algorithm, digest = info.message_imprint.hash_algorithm, info.message_imprint.message
        answered, time = info.nonce, info.gen_time.astimezone(UTC)
        own = [x509.load_der_x509_certificate(der) for der in sorted(response.signed_data.certificates)]
        signing = _signing_certificate(response, own)
        authority = signing.subject.rfc4514_string()
    if algorithm != _SHA256 or digest != sha256(data).digest():  # 2
        raise SignatureInvalidError("the time stamp is on other bytes", step="digest")
    if nonce is not None and answered != nonce:
        raise SignatureInvalidError("the time stamp answers another request", step="nonce")
    fingerprint = sha256(signing.public_bytes(Encoding.DER)).hexdigest()
    if certificates and signing not in certificates:  # 3
        raise SignatureInvalidError(
            f"it was signed with the certificate {fingerprint}, which isn't one that you trust", step="certificate"
        )
    roots = list(certificates or own)
    _require_root(roots)
    try:
        library.VerifierBuilder(roots=roots).build().verify(_decoded(stamp), sha256(data).digest())  # 3, 4
    except Exception as error:  # it has a tree of its own, and lets errors of its parts through
        raise SignatureInvalidError(_why(error), step="signature") from error
    return VerifiedTimeStamp(time, authority, fingerprint, bool(certificates))


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Certificates of a PEM file; raises ConfigurationError that names it."""
    try:
        with path.open("rb") as file:
            certificates = x509.load_pem_x509_certificates(file.read(MAX_CERTIFICATES_BYTES))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise _lacking(f"{path}: it has no certificates in PEM") from error
    _require_root(certificates)
    return certificates


def _require_root(certificates: Sequence[x509.Certificate]) -> None:
    if not any(one.issuer == one.subject for one in certificates):
        raise _lacking("the certificate of the TSA's root CA is missing")


def _lacking(problem: str) -> ConfigurationError:
    way_out = "Give the TSA's certificate in PEM and, unless it is self-signed, those of its CAs up to the root."
    return ConfigurationError(problem, way_out=way_out)


def time_stamp_library() -> Any:
    """rfc3161-client; raises ConfigurationError without it."""
    try:
        import rfc3161_client  # noqa: PLC0415  the extra `timestamps`
    except ImportError as error:
        way_out = "Install the gateway's wheel with the extra: pip install 'WHEEL[timestamps]'."
        raise ConfigurationError("time stamps need the package rfc3161-client", way_out=way_out) from error
    return rfc3161_client


def _decoded(answer: bytes) -> TimeStampResponse:
    """The answer, whose token is there."""
    if len(answer) > MAX_ANSWER_BYTES:
        raise TooLargeError(f"a time stamp of {len(answer)} bytes; at most {MAX_ANSWER_BYTES} are read")
    library = time_stamp_library()
    with _reading():
        response: TimeStampResponse = library.decode_timestamp_response(answer)
        granted, said = response.status == 0, "; ".join(response.status_string or ())
    if not granted:
        raise MalformedError(f"the TSA has refused, with status {response.status} {said}".strip()[:300])
    return response


def _kept_form(response: TimeStampResponse) -> bytes:
    """The answer with the token and nothing that isn't signed beside it."""
    with _reading():
        content = _GRANTED + response.time_stamp_token()
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    head = bytes([len(content)]) if len(content) < 0x80 else bytes([0x80 | len(length)]) + length
    return b"\x30" + head + content


@contextmanager
def _reading() -> Iterator[None]:
    """Turns what the library's parsers raise into MalformedError."""
    try:
        yield
    except GatewayError:
        raise
    except Exception as error:
        raise MalformedError(f"that isn't an answer of a TSA: {_why(error)}") from error


def _signing_certificate(response: TimeStampResponse, own: Sequence[x509.Certificate]) -> x509.Certificate:
    try:
        (signer,) = response.signed_data.signer_infos
    except ValueError:
        raise MalformedError("a time stamp has one signature") from None
    named = [one for one in own if (one.issuer, one.serial_number) == (signer.issuer, signer.serial_number)]
    if not named:
        raise MalformedError("the time stamp doesn't hold the certificate that signed it")
    return named[0]


def _why(error: Exception) -> str:
    text = " ".join(str(error).split())
    _, separator, reason = text.rpartition("Verify error: ")
    return (reason.rstrip('" }])') if separator else text)[:300]
