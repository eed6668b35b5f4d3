"""Inspects and authenticates X.509 certificates of gateways, systems and CAs.

The peer port trusts the CAs of all partners, so the TLS handshake proves only that *some* partner's CA signed. Step 7
binds each identity to the CAs of its node.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from gateway.contract.ids import GatewayIdentity, SystemIdentity, parse_spiffe
from gateway.errors import CredentialsError, MalformedError, UnauthenticatedError

MAX_CERTIFICATE_PEM_BYTES = 16 * 1024
"""Longest certificate that is parsed, in bytes; a federation's have about 1 kB."""

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

Identity = GatewayIdentity | SystemIdentity

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")  # AlgorithmIdentifier in DER, RFC 5758

# A serial number that isn't positive (RFC 5280): cryptography only warns as yet, on stderr.
warnings.filterwarnings("error", "Parsed a serial number", CryptographyDeprecationWarning)

_UNREADABLE = (
    CryptographyDeprecationWarning,
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """The contents of a certificate with the right form, not yet authenticated.

    Attributes:
        identity: claimed, from the one URI SAN.
        serial: positive, up to 20 octets.
        fingerprint_sha256: of the DER, lower-case hexadecimal, as in the directory's revocations.
        twin_fingerprint_sha256: of the same certificate with the other signature that its CA's key verifies: anybody
            can turn ECDSA's (r, s) into (r, n - s), so a revocation of either is one of both.
        not_before: first second of validity, UTC.
        not_after: last second of validity, UTC.
        issuer_key_id: claimed, hexadecimal; empty when absent.
        dns_names: DNS SANs in the certificate's order.
        server_auth: whether the extended key usage allows a server.
    """

    identity: Identity
    serial: int
    fingerprint_sha256: str
    twin_fingerprint_sha256: str
    not_before: datetime
    not_after: datetime
    issuer_key_id: str
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    server_auth: bool


@dataclass(frozen=True, slots=True)
class AuthenticatedPeer:
    """A certificate that passed all steps; `issuer_fingerprint` is the CA's, as in CaCertificate."""

    certificate: PeerCertificate
    issuer_fingerprint: str

    @property
    def identity(self) -> Identity:
        return self.certificate.identity


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate that passed steps 1 to 7: its CA's own, whether it counts now or not."""

    certificate: PeerCertificate
    issuer_fingerprint: str


@dataclass(frozen=True, slots=True)
class CaCertificate:
    """The contents of a CA certificate; fingerprint is hexadecimal SHA-256 of the DER, times are UTC."""

    subject: str
    serial: int
    fingerprint_sha256: str
    not_before: datetime
    not_after: datetime


def inspect_certificate(pem: bytes) -> PeerCertificate:
    """Reads a leaf certificate and checks its form in steps; `authenticate` has steps 6 to 9:

    1. At most `MAX_CERTIFICATE_PEM_BYTES`, exactly one certificate, well-formed, no unknown critical extension.
    2. ECDSA P-256 key; signed with ECDSA and SHA-256; encoded in the one form that DER has.
    3. Not a CA; key usage allows signatures and no signing of certificates; extended key usage allows clients.
    4. Exactly one URI SAN.
    5. The URI is the canonical SPIFFE id of a gateway or a system.

    Raises:
        UnauthenticatedError: for the audit log, not for the caller.
    """
    certificate = _parsed(pem)  # 1
    try:
        _check_algorithms(certificate)  # 2
        twin = _twin(certificate)
        server_auth = _check_usage(certificate)  # 3
        names = _extension(certificate, x509.SubjectAlternativeName)
        return PeerCertificate(
            identity=_identity(names),  # 4, 5
            serial=certificate.serial_number,
            fingerprint_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
            twin_fingerprint_sha256=sha256(twin).hexdigest(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            issuer_key_id=_issuer_key_id(certificate),
            dns_names=tuple(names.get_values_for_type(x509.DNSName)) if names else (),
            ip_addresses=tuple(map(str, names.get_values_for_type(x509.IPAddress))) if names else (),
            server_auth=server_auth,
        )
    except _UNREADABLE as error:
        raise UnauthenticatedError(f"step 1: the certificate can't be read: {error}") from None


def authenticate(
    pem: bytes,
    *,
    trust_domain: str,
    ca_pems: Iterable[str | bytes],
    revoked_fingerprints: Collection[str],
    now: datetime,
) -> AuthenticatedPeer:
    """Authenticates a certificate: the steps of `inspect_certificate`, then:

    6. The identity is of this trust domain.
    7. Signed by one of `ca_pems`, the CAs of the identity's node and of no other.
    8. It and that CA are valid at `now`.
    9. Neither is among `revoked_fingerprints`, nor is its twin.

    Args:
        trust_domain: the federation's name.
        ca_pems: of exactly one node.
        revoked_fingerprints: hexadecimal SHA-256.

    Raises:
        UnauthenticatedError: for the audit log, not for the caller.
        ConfigurationError: one of `ca_pems` isn't a CA certificate.
    """
    stated, issuer = _issued(pem, trust_domain, ca_pems)  # 6, 7
    who = stated.identity
    _check_valid(str(who), stated.not_before, stated.not_after, now)  # 8
    _check_valid(f"the CA of {who}", issuer.not_valid_before_utc, issuer.not_valid_after_utc, now)
    issuer_fingerprint = issuer.fingerprint(hashes.SHA256()).hex()
    for fingerprint in (stated.fingerprint_sha256, stated.twin_fingerprint_sha256, issuer_fingerprint):  # 9
        if fingerprint in revoked_fingerprints:
            raise UnauthenticatedError(f"step 9 revocation: certificate {fingerprint} of {who} is revoked")
    return AuthenticatedPeer(stated, issuer_fingerprint)


def issued(pem: bytes, *, trust_domain: str, ca_pems: Iterable[str | bytes]) -> IssuedCertificate:
    """Steps 1 to 7 of `authenticate`: that a node's CA signed a certificate, which may be expired or revoked.

    Raises UnauthenticatedError, or ConfigurationError for `ca_pems`.
    """
    stated, issuer = _issued(pem, trust_domain, ca_pems)
    return IssuedCertificate(stated, issuer.fingerprint(hashes.SHA256()).hex())


def canonical_pem(pem: bytes) -> str:
    """A certificate alone, as OpenSSL writes it; raises UnauthenticatedError if it can't be read."""
    return _parsed(pem).public_bytes(serialization.Encoding.PEM).decode()


def inspect_ca(pem: str | bytes) -> CaCertificate:
    """Reads a CA certificate: one, self-signed, P-256, CA:TRUE with path length 0, keyCertSign, canonical PEM.

    Raises ConfigurationError.
    """
    ca = _parsed_ca(pem)
    return CaCertificate(
        subject=ca.subject.rfc4514_string(),
        serial=ca.serial_number,
        fingerprint_sha256=ca.fingerprint(hashes.SHA256()).hex(),
        not_before=ca.not_valid_before_utc,
        not_after=ca.not_valid_after_utc,
    )


def _issued(pem: bytes, trust_domain: str, ca_pems: Iterable[str | bytes]) -> tuple[PeerCertificate, x509.Certificate]:
    stated = inspect_certificate(pem)
    who = stated.identity
    if who.trust_domain != trust_domain:  # 6
        raise UnauthenticatedError(f"step 6 trust domain: {who} isn't of federation {trust_domain}")
    issuer = _issuer(_parsed(pem), [_parsed_ca(ca) for ca in ca_pems])  # 7
    if issuer is None:
        raise UnauthenticatedError(f"step 7 issuer: {who} isn't signed by a CA of node {who.node}")
    return stated, issuer


def _parsed(pem: bytes) -> x509.Certificate:
    if len(pem) > MAX_CERTIFICATE_PEM_BYTES:
        raise UnauthenticatedError(f"step 1: the certificate has more than {MAX_CERTIFICATE_PEM_BYTES} bytes")
    try:
        certificates = x509.load_pem_x509_certificates(pem)
        unknown = [
            extension.oid.dotted_string
            for certificate in certificates
            for extension in certificate.extensions
            if extension.critical and isinstance(extension.value, x509.UnrecognizedExtension)
        ]
    except _UNREADABLE:
        raise UnauthenticatedError("step 1: no certificate in PEM form") from None
    if len(certificates) != 1:
        raise UnauthenticatedError(f"step 1: one certificate is needed, {len(certificates)} were given")
    if unknown:
        raise UnauthenticatedError(f"step 1: unknown critical extension {unknown[0]}")
    return certificates[0]


def _check_algorithms(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UnauthenticatedError("step 2: the key isn't ECDSA P-256")
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        raise UnauthenticatedError("step 2: the certificate isn't signed with ECDSA and SHA-256")


def _twin(certificate: x509.Certificate) -> bytes:
    """The DER of the same certificate with the other signature; refuses one that isn't in DER's one form.

    Readers overlook unused bits of the signature and forms of its numbers, which would give one certificate many
    fingerprints.
    """
    r, s = decode_dss_signature(certificate.signature)
    if _signed(certificate, r, s) != certificate.public_bytes(serialization.Encoding.DER):
        raise UnauthenticatedError("step 2: the certificate isn't encoded as DER prescribes")
    return _signed(certificate, r, _P256_ORDER - s)


def _signed(certificate: x509.Certificate, r: int, s: int) -> bytes:
    signature = b"\x00" + encode_dss_signature(r, s)
    return _der(0x30, certificate.tbs_certificate_bytes + _ECDSA_WITH_SHA256 + _der(0x03, signature))


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _check_usage(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise UnauthenticatedError("step 3: this is the certificate of a CA, not of a gateway or system")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is None or not usage.digital_signature or usage.key_cert_sign:
        raise UnauthenticatedError("step 3: key usage must allow digital signatures and no signing of certificates")
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    if extended is None or ExtendedKeyUsageOID.CLIENT_AUTH not in extended:
        raise UnauthenticatedError("step 3: extended key usage doesn't allow TLS clients")
    return ExtendedKeyUsageOID.SERVER_AUTH in extended


def _identity(names: x509.SubjectAlternativeName | None) -> Identity:
    uris = names.get_values_for_type(x509.UniformResourceIdentifier) if names else []
    if len(uris) != 1:
        raise UnauthenticatedError(f"step 4: exactly one URI SAN is needed, the certificate has {len(uris)}")
    try:
        return parse_spiffe(uris[0])
    except MalformedError as error:
        raise UnauthenticatedError(f"step 5: {error.message}") from None


def _issuer_key_id(certificate: x509.Certificate) -> str:
    authority = _extension(certificate, x509.AuthorityKeyIdentifier)
    return authority.key_identifier.hex() if authority and authority.key_identifier else ""


def _issuer(certificate: x509.Certificate, authorities: Iterable[x509.Certificate]) -> x509.Certificate | None:
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue  # another CA of the node, e.g. during a change of CA
        return authority
    return None


def _check_valid(what: str, not_before: datetime, not_after: datetime, now: datetime) -> None:
    seen = f"and now is {_shown(now)}"
    if now < not_before:
        raise UnauthenticatedError(f"step 8 validity: {what} is valid from {_shown(not_before)}, {seen}")
    if now > not_after:
        raise UnauthenticatedError(f"step 8 validity: {what} expired on {_shown(not_after)}, {seen}")


def _parsed_ca(pem: str | bytes) -> x509.Certificate:
    encoded = pem.encode() if isinstance(pem, str) else pem
    try:
        certificate = _parsed(encoded)
        _check_algorithms(certificate)
        constraints = _extension(certificate, x509.BasicConstraints)
        usage = _extension(certificate, x509.KeyUsage)
        certificate.verify_directly_issued_by(certificate)
    except UnauthenticatedError as error:
        raise CredentialsError(f"CA certificate: {error.message.partition(': ')[2]}") from None
    except (*_UNREADABLE, InvalidSignature):
        raise CredentialsError("CA certificate: damaged, or not signed by itself") from None
    if constraints is None or not constraints.ca or constraints.path_length != 0:
        raise CredentialsError("CA certificate: basic constraints must be CA:TRUE with path length 0")
    if usage is None or not usage.key_cert_sign:
        raise CredentialsError("CA certificate: key usage must allow the signing of certificates")
    if certificate.public_bytes(serialization.Encoding.PEM) != encoded:
        raise CredentialsError("CA certificate: not in canonical PEM form (`openssl x509` writes it)")
    return certificate


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _shown(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
