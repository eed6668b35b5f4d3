"""Makes CAs, keys with signing requests, and certificates."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.contract.ids import GatewayIdentity, SystemIdentity, parse_spiffe
from gateway.errors import CredentialsError, MalformedError
from gateway.tls.certificates import MAX_CERTIFICATE_PEM_BYTES, Identity, inspect_ca
from gateway.tls.private_keys import load_ecdsa_key, private_key_pem
from gateway.tls.secret_files import write_secret

CA_DAYS = 3650
"""Validity of a CA: a change takes a directory version signed by all authorities."""
DEFAULT_LEAF_DAYS = 90
"""Short, since there is no online revocation."""
MAX_LEAF_DAYS = 398
"""A year and time to renew, once the CA/Browser Forum's limit."""
BACKDATED = timedelta(minutes=5)
"""Validity starts this much earlier, for slow clocks."""
MAX_NAMES = 16


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of certificate: `name` as on the command line, and whether it may carry DNS names and IP addresses."""

    name: str
    identity: type[GatewayIdentity] | type[SystemIdentity]
    usages: tuple[x509.ObjectIdentifier, ...]
    server: bool


GATEWAY = Profile(
    "gateway", GatewayIdentity, (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH), server=True
)
SYSTEM = Profile("system", SystemIdentity, (ExtendedKeyUsageOID.CLIENT_AUTH,), server=False)


def profile_of(identity: Identity) -> Profile:
    """The profile of an identity."""
    return GATEWAY if isinstance(identity, GatewayIdentity) else SYSTEM


@dataclass(frozen=True, slots=True)
class RequestedCertificate:
    """A signing request with a verified signature."""

    identity: Identity
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]


class CertificateAuthority:
    """A node's CA with its key; it signs for no other node."""

    __slots__ = ("_certificate", "_private_key", "certificate_pem", "federation", "node")

    def __init__(self, certificate_pem: bytes, private_key: ec.EllipticCurvePrivateKey) -> None:
        inspect_ca(certificate_pem)
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        if certificate.public_key() != private_key.public_key():
            raise CredentialsError("the CA's key doesn't belong to its certificate")
        self.federation = _subject_part(certificate, NameOID.ORGANIZATION_NAME)
        self.node = _subject_part(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME)
        self.certificate_pem = certificate_pem
        self._certificate = certificate
        self._private_key = private_key

    def __repr__(self) -> str:
        return f"CertificateAuthority(federation={self.federation!r}, node={self.node!r})"

    def issue(
        self,
        request_pem: bytes,
        *,
        identity: Identity,
        dns_names: Sequence[str] = (),
        ip_addresses: Sequence[str] = (),
        now: datetime,
        days: int = DEFAULT_LEAF_DAYS,
    ) -> bytes:
        """Signs a request for exactly what the caller expects and returns the certificate in PEM.

        1. The request is well-formed, signed by its own key, ECDSA P-256.
        2. The identity is of this CA's federation and node.
        3. The request's identity and names are the expected ones.
        4. Only a gateway has DNS names and IP addresses.
        5. Validity is 1 to `MAX_LEAF_DAYS` days and ends before the CA's.

        Raises:
            ConfigurationError: a step fails; says which and why.
        """
        asked, public_key = _parsed_request(request_pem)  # 1
        profile = profile_of(identity)
        if (identity.trust_domain, identity.node) != (self.federation, self.node):  # 2
            raise CredentialsError(
                f"{identity} isn't of this CA, which signs for node {self.node} of {self.federation}"
            )
        if asked.identity != identity:  # 3
            raise CredentialsError(f"the request is for {asked.identity}, not for {identity}: nothing was signed")
        if (set(asked.dns_names), set(asked.ip_addresses)) != (set(dns_names), set(map(_ip, ip_addresses))):
            raise CredentialsError(
                f"the request names {_listed(asked.dns_names + asked.ip_addresses)}, expected were "
                f"{_listed((*dns_names, *ip_addresses))}: nothing was signed"
            )
        if not profile.server and (asked.dns_names or asked.ip_addresses):  # 4
            raise CredentialsError("a system is a client only: its certificate has no DNS names or IP addresses")
        not_after = now + timedelta(days=days)
        if not 1 <= days <= MAX_LEAF_DAYS:  # 5
            raise CredentialsError(f"days: {days} isn't between 1 and {MAX_LEAF_DAYS}")
        if not_after > self._certificate.not_valid_after_utc:
            raise CredentialsError(f"days: the CA itself ends on {self._certificate.not_valid_after_utc:%Y-%m-%d}")
        return self._signed(asked, public_key, profile, now, not_after)

    def _signed(
        self,
        asked: RequestedCertificate,
        public_key: ec.EllipticCurvePublicKey,
        profile: Profile,
        now: datetime,
        not_after: datetime,
    ) -> bytes:
        issuer_key_id = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateBuilder()
            .subject_name(_subject(asked.identity))
            .issuer_name(self._certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - BACKDATED, self._certificate.not_valid_before_utc))
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(profile.usages), critical=False)
            .add_extension(_alternative_names(asked), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key_id), critical=False
            )
        )
        return builder.sign(self._private_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def create_ca(
    *,
    node: str,
    federation: str,
    key_path: Path,
    now: datetime,
    days: int = CA_DAYS,
    passphrase: bytes | None = None,
) -> CertificateAuthority:
    """Makes a node's CA: key in a new file (mode 0600), self-signed certificate with path length 0.

    Raises:
        ConfigurationError: the key exists or can't be written.
        MalformedError: wrong name of node or federation.
    """
    GatewayIdentity(federation, node)  # refuses wrong names before writing
    private_key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, federation),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, node),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{node} gateway CA"),
        ]
    )
    key_id = x509.SubjectKeyIdentifier.from_public_key(private_key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(key_id, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False)
        .sign(private_key, hashes.SHA256())
    )
    write_secret(key_path, private_key_pem(private_key, passphrase))
    return CertificateAuthority(certificate.public_bytes(serialization.Encoding.PEM), private_key)


def load_ca(certificate_pem: bytes, key_path: Path, passphrase: bytes | None = None) -> CertificateAuthority:
    """Loads a CA.

    Raises:
        ConfigurationError: key or certificate can't be read, or don't belong together.
    """
    return CertificateAuthority(certificate_pem, load_ecdsa_key(key_path, passphrase))


def create_request(
    identity: Identity,
    *,
    key_path: Path,
    dns_names: Sequence[str] = (),
    ip_addresses: Sequence[str] = (),
    passphrase: bytes | None = None,
) -> bytes:
    """Makes a TLS key (mode 0600) where it is used, and a signing request in PEM.

    Raises:
        ConfigurationError: the key exists or can't be written, a wrong name, or a system with names.
    """
    if not profile_of(identity).server and (dns_names or ip_addresses):
        raise CredentialsError("a system is a client only: its certificate has no DNS names or IP addresses")
    asked = RequestedCertificate(identity, tuple(dns_names), tuple(map(_ip, ip_addresses)))
    names = _alternative_names(asked)
    private_key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_subject(identity))
        .add_extension(names, critical=False)
        .sign(private_key, hashes.SHA256())
    )
    write_secret(key_path, private_key_pem(private_key, passphrase))
    return request.public_bytes(serialization.Encoding.PEM)


def inspect_request(request_pem: bytes) -> RequestedCertificate:
    """A request's content, after step 1 of `CertificateAuthority.issue`.

    Raises:
        ConfigurationError: not well-formed, or a wrong signature.
    """
    return _parsed_request(request_pem)[0]


def _parsed_request(pem: bytes) -> tuple[RequestedCertificate, ec.EllipticCurvePublicKey]:
    if len(pem) > MAX_CERTIFICATE_PEM_BYTES:
        raise CredentialsError(f"the request has more than {MAX_CERTIFICATE_PEM_BYTES} bytes")
    try:
        request = x509.load_pem_x509_csr(pem)
        signed = request.is_signature_valid
        public_key = request.public_key()
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension):
        raise CredentialsError("the request isn't a certificate signing request in PEM form") from None
    except (x509.ExtensionNotFound, x509.UnsupportedGeneralNameType):
        raise CredentialsError("the request has no identity in a URI SAN; `gateway pki request` makes one") from None
    if not signed:
        raise CredentialsError("the request's signature is wrong")
    if not isinstance(public_key, ec.EllipticCurvePublicKey) or not isinstance(public_key.curve, ec.SECP256R1):
        raise CredentialsError("the request's key isn't ECDSA P-256")
    return _requested(names), public_key


def _requested(names: x509.SubjectAlternativeName) -> RequestedCertificate:
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    dns_names = tuple(names.get_values_for_type(x509.DNSName))
    ip_addresses = tuple(map(str, names.get_values_for_type(x509.IPAddress)))
    if len(uris) != 1:
        raise CredentialsError(f"exactly one URI SAN is needed, the request has {len(uris)}")
    if len(names) != 1 + len(dns_names) + len(ip_addresses):
        raise CredentialsError("the request has alternative names other than URI, DNS name and IP address")
    try:
        return RequestedCertificate(parse_spiffe(uris[0]), dns_names, ip_addresses)
    except MalformedError as error:
        raise CredentialsError(f"the request's identity: {error.message}") from None


def _alternative_names(asked: RequestedCertificate) -> x509.SubjectAlternativeName:
    if len(asked.dns_names) + len(asked.ip_addresses) > MAX_NAMES:
        raise CredentialsError(f"more than {MAX_NAMES} DNS names and IP addresses")
    try:
        return x509.SubjectAlternativeName(
            [
                x509.UniformResourceIdentifier(asked.identity.uri),
                *(x509.DNSName(name) for name in asked.dns_names),
                *(x509.IPAddress(ipaddress.ip_address(address)) for address in asked.ip_addresses),
            ]
        )
    except ValueError as error:
        raise CredentialsError(f"DNS name: {error}") from None


def _subject(identity: Identity) -> x509.Name:
    name = identity.node if isinstance(identity, GatewayIdentity) else f"{identity.node} {identity.name}"
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])  # 64: ub-common-name, RFC 5280


def _subject_part(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    values = certificate.subject.get_attributes_for_oid(oid)
    if len(values) != 1:
        raise CredentialsError("the CA's subject must name federation (O) and node (OU); `gateway pki init-ca` does")
    return str(values[0].value)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _ip(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise CredentialsError(f"{address!r} isn't an IP address") from None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "no DNS name or IP address"
