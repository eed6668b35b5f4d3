"""Certificates as a careless, hostile or foreign CA could sign them, each part of which a test can choose."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.tls.private_keys import load_tls_key_pem
from tests.support.listeners import Federation, gateway_of, now

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
SIGNS = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
LEAF = x509.BasicConstraints(ca=False, path_length=None)


def uri(text: str) -> x509.GeneralName:
    """A URI SAN; also one that isn't ASCII, as bytes of Latin-1 would be read."""
    return x509.UniformResourceIdentifier(text)


def usage(**on: bool) -> x509.KeyUsage:
    """A key usage with these bits, and no others but digital_signature."""
    bits = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    bits += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: on.get(name, name == "digital_signature") for name in bits})


@dataclass(frozen=True)
class Form:
    """What a certificate says; as it is, a sound one of the gateway hk."""

    names: tuple[x509.GeneralName, ...] | None = (uri(gateway_of("hk").uri),)
    signer: str = "hk"
    starts: timedelta = timedelta(days=-1)
    ends: timedelta = timedelta(days=1)
    key: str = "P-256"
    digest: Any = hashes.SHA256
    constraints: x509.BasicConstraints | None = LEAF
    key_usage: x509.KeyUsage | None = SIGNS
    extended: x509.ExtendedKeyUsage | None = CLIENT
    names_critical: bool = False
    serial: int = 0
    subject: str = "crafted"
    issuer: str = ""
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = field(default=())


def new_key(kind: str) -> PrivateKey:
    """P-256, P-384, P-521, secp256k1, Brainpool, RSA or Ed25519."""
    curves: dict[str, ec.EllipticCurve] = {
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "P-521": ec.SECP521R1(),
        "secp256k1": ec.SECP256K1(),
        "Brainpool": ec.BrainpoolP256R1(),
    }
    if kind in curves:
        return ec.generate_private_key(curves[kind])
    return ed25519.Ed25519PrivateKey.generate() if kind == "Ed25519" else rsa.generate_private_key(65537, 2048)


def key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def ca_key(federation: Federation, node: str) -> ec.EllipticCurvePrivateKey:
    """The real key of a node's CA."""
    key = serialization.load_pem_private_key(load_tls_key_pem(federation.folder / f"{node}-ca.key"), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def sign(form: Form, key: PrivateKey, *, ca: x509.Certificate, by: PrivateKey, at: datetime | None = None) -> bytes:
    """The certificate as PEM, signed by the key `by` in the name of `ca`."""
    at = at or now()
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, form.issuer)]) if form.issuer else ca.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, form.subject)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(form.serial or x509.random_serial_number())
        .not_valid_before(at + form.starts)
        .not_valid_after(at + form.ends)
    )
    own = (
        (form.constraints, True),
        (form.key_usage, True),
        (form.extended, False),
        (x509.SubjectAlternativeName(form.names) if form.names is not None else None, form.names_critical),
    )
    for extension, critical in (*own, *form.extensions):
        if extension is not None:
            builder = builder.add_extension(extension, critical=critical)
    digest = None if isinstance(by, ed25519.Ed25519PrivateKey) else form.digest()
    return builder.sign(by, digest).public_bytes(serialization.Encoding.PEM)


def pem_of(der: bytes) -> bytes:
    """PEM of any bytes, also of those that are no certificate."""
    body = base64.encodebytes(der).replace(b"\n", b"")
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])


def write(folder: Path, name: str, content: bytes) -> Path:
    """A file that only its owner reads, as the product wants its keys."""
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o600)
    return path
