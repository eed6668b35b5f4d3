from __future__ import annotations

import datetime as dt
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract.ids import GatewayIdentity, SystemIdentity
from gateway.errors import ConfigurationError, MalformedError, UnauthenticatedError
from gateway.tls.certificates import (
    MAX_CERTIFICATE_PEM_BYTES,
    AuthenticatedPeer,
    authenticate,
    inspect_ca,
    inspect_certificate,
)
from gateway.tls.private_keys import load_tls_key_pem
from gateway.trust.pki.issuance import (
    MAX_LEAF_DAYS,
    CertificateAuthority,
    create_ca,
    create_request,
    inspect_request,
    load_ca,
)

FEDERATION = "gba.customs.example"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
NOW = dt.datetime(2026, 1, 15, 8, 0, tzinfo=dt.UTC)
CN = GatewayIdentity(FEDERATION, "cn")
OFFICERS = SystemIdentity(FEDERATION, "cn", "officers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pki")


@pytest.fixture(scope="module")
def ca(folder: Path) -> CertificateAuthority:
    return create_ca(node="cn", federation=FEDERATION, key_path=folder / "ca.key", now=NOW)


@pytest.fixture(scope="module")
def partner_ca(folder: Path) -> CertificateAuthority:
    return create_ca(node="hk", federation=FEDERATION, key_path=folder / "hk" / "ca.key", now=NOW)


@pytest.fixture(scope="module")
def gateway_pem(folder: Path, ca: CertificateAuthority) -> bytes:
    names, addresses = ("cn.gba.customs.example", "localhost"), ("127.0.0.1",)
    request = create_request(CN, key_path=folder / "gateway.key", dns_names=names, ip_addresses=addresses)
    return ca.issue(request, identity=CN, dns_names=names, ip_addresses=addresses, now=NOW)


def believe(pem: bytes, ca: CertificateAuthority, **changes: object) -> AuthenticatedPeer:
    arguments = {"trust_domain": FEDERATION, "ca_pems": [ca.certificate_pem], "revoked_fingerprints": set(), "now": NOW}
    return authenticate(pem, **{**arguments, **changes})  # type: ignore[arg-type]


def crafted(
    ca: CertificateAuthority,
    *,
    names: list[x509.GeneralName] | None = None,
    usages: list[x509.ObjectIdentifier] | None = None,
    is_ca: bool = False,
    digital_signature: bool = True,
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | None = None,
    algorithm: hashes.HashAlgorithm | None = None,
    extra: x509.ExtensionType | None = None,
    start: dt.datetime = NOW,
    days: int = 10,
) -> bytes:
    """A certificate that a careless or hostile CA could sign."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "crafted")]))
        .issuer_name(x509.load_pem_x509_certificate(ca.certificate_pem).subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature, False, False, False, False, is_ca, False, False, False), critical=True
        )
    )
    names = [x509.UniformResourceIdentifier(CN.uri)] if names is None else names
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH] if usages is None else usages
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if extra:
        builder = builder.add_extension(extra, critical=True)
    return builder.sign(ca._private_key, algorithm or hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


def test_a_gateway_certificate_states_what_was_asked(gateway_pem: bytes) -> None:
    stated = inspect_certificate(gateway_pem)
    assert stated.identity == CN
    assert stated.dns_names == ("cn.gba.customs.example", "localhost")
    assert stated.ip_addresses == ("127.0.0.1",)
    assert stated.server_auth
    assert stated.not_before <= NOW <= stated.not_after
    assert stated.not_after - NOW == dt.timedelta(days=90)
    assert stated.serial > 0
    parsed = x509.load_pem_x509_certificate(gateway_pem)
    assert stated.fingerprint_sha256 == parsed.fingerprint(hashes.SHA256()).hex()
    assert stated.issuer_key_id


def test_a_system_certificate_is_a_clients_only(folder: Path, ca: CertificateAuthority) -> None:
    request = create_request(OFFICERS, key_path=folder / "officers.key")
    stated = inspect_certificate(ca.issue(request, identity=OFFICERS, now=NOW, days=7))
    assert stated.identity == OFFICERS
    assert not stated.server_auth
    assert stated.dns_names == stated.ip_addresses == ()


def test_openssl_accepts_the_chain_for_server_and_client(
    folder: Path, ca: CertificateAuthority, gateway_pem: bytes
) -> None:
    (folder / "ca.pem").write_bytes(ca.certificate_pem)
    (folder / "gateway.pem").write_bytes(gateway_pem)
    at = ["-attime", str(int(NOW.timestamp()))]
    for purpose in ("sslserver", "sslclient"):
        command = ["openssl", "verify", "-x509_strict", *at, "-purpose", purpose, "-CAfile", folder / "ca.pem"]
        subprocess.run([*command, folder / "gateway.pem"], check=True, capture_output=True)


def test_a_good_certificate_is_believed(ca: CertificateAuthority, gateway_pem: bytes) -> None:
    peer = believe(gateway_pem, ca)
    assert peer.identity == CN
    assert peer.issuer_fingerprint == inspect_ca(ca.certificate_pem).fingerprint_sha256


def test_during_a_change_of_ca_either_is_accepted(ca: CertificateAuthority, gateway_pem: bytes, tmp_path: Path) -> None:
    newer = create_ca(node="cn", federation=FEDERATION, key_path=tmp_path / "ca.key", now=NOW)
    peer = believe(gateway_pem, ca, ca_pems=[newer.certificate_pem, ca.certificate_pem])
    assert peer.issuer_fingerprint == inspect_ca(ca.certificate_pem).fingerprint_sha256
    with pytest.raises(UnauthenticatedError, match="step 7"):
        believe(gateway_pem, ca, ca_pems=[newer.certificate_pem])


def test_a_partners_ca_cannot_speak_for_another_node(
    ca: CertificateAuthority, partner_ca: CertificateAuthority
) -> None:
    forged = crafted(partner_ca)  # says it is cn's gateway, signed by hk's CA, which the peer port trusts
    assert inspect_certificate(forged).identity == CN
    with pytest.raises(UnauthenticatedError, match="step 7 issuer"):
        believe(forged, ca)
    with pytest.raises(UnauthenticatedError, match="step 7 issuer"):
        believe(forged, ca, ca_pems=[])


@pytest.mark.parametrize(
    ("now", "problem"),
    [
        (NOW - dt.timedelta(minutes=6), "valid from"),
        (NOW + dt.timedelta(days=90, seconds=1), "expired on"),
    ],
)
def test_validity_is_judged_at_the_given_time(
    ca: CertificateAuthority, gateway_pem: bytes, now: dt.datetime, problem: str
) -> None:
    with pytest.raises(UnauthenticatedError, match=rf"step 8 validity: .*{problem}"):
        believe(gateway_pem, ca, now=now)


def test_an_expired_ca_ends_what_it_signed(tmp_path: Path) -> None:
    short = create_ca(node="cn", federation=FEDERATION, key_path=tmp_path / "ca.key", now=NOW, days=5)
    pem = crafted(short, days=10)
    with pytest.raises(UnauthenticatedError, match="step 8 validity: the CA of"):
        believe(pem, short, now=NOW + dt.timedelta(days=6))


def test_revoked_is_refused_by_leaf_and_by_ca(ca: CertificateAuthority, gateway_pem: bytes) -> None:
    for fingerprint in (
        inspect_certificate(gateway_pem).fingerprint_sha256,
        inspect_ca(ca.certificate_pem).fingerprint_sha256,
    ):
        with pytest.raises(UnauthenticatedError, match="step 9 revocation"):
            believe(gateway_pem, ca, revoked_fingerprints={fingerprint})


def test_a_revocation_covers_the_other_signature_that_verifies(ca: CertificateAuthority, gateway_pem: bytes) -> None:
    """ECDSA verifies (r, n - s) wherever it verifies (r, s), and whoever has a certificate can write the other one."""
    twin_pem = resigned(gateway_pem, lambda r, s: encode_dss_signature(r, P256_ORDER - s))
    given, twin = inspect_certificate(gateway_pem), inspect_certificate(twin_pem)
    assert believe(twin_pem, ca).identity == given.identity
    assert twin.fingerprint_sha256 == given.twin_fingerprint_sha256 != given.fingerprint_sha256
    for revoked in (given.fingerprint_sha256, twin.fingerprint_sha256):
        for pem in (gateway_pem, twin_pem):
            with pytest.raises(UnauthenticatedError, match="step 9 revocation"):
                believe(pem, ca, revoked_fingerprints={revoked})


def test_one_certificate_has_one_encoding(ca: CertificateAuthority, gateway_pem: bytes) -> None:
    """Each other encoding that a reader takes for the same certificate would have a fingerprint that isn't revoked."""
    even = x509.load_pem_x509_certificate(gateway_pem)
    while even.signature[-1] & 1:  # an unused bit must be 0
        even = x509.load_pem_x509_certificate(crafted(ca, names=[uri(str(CN))]))
    assert believe(even.public_bytes(serialization.Encoding.PEM), ca).identity == CN
    der = even.public_bytes(serialization.Encoding.DER)
    unused = der[: -len(even.signature) - 1] + b"\x01" + even.signature
    with pytest.raises(UnauthenticatedError, match=r"step [12]"):
        believe(pem_of(unused), ca)

    longer = resigned(gateway_pem, lambda r, s: sequence(integer(r, zeros=1) + integer(s)))
    with pytest.raises(UnauthenticatedError, match=r"step [12]"):
        believe(longer, ca)
    for r, s in ((0, 1), (1, 0), (1, P256_ORDER), (P256_ORDER, P256_ORDER + 1)):
        with pytest.raises(UnauthenticatedError):
            believe(resigned(gateway_pem, lambda *_, r=r, s=s: encode_dss_signature(r, s)), ca)


def test_another_trust_domain_is_refused(ca: CertificateAuthority) -> None:
    foreign = crafted(ca, names=[uri("spiffe://other.example/gateway/cn")])
    with pytest.raises(UnauthenticatedError, match="step 6 trust domain"):
        believe(foreign, ca)


@pytest.mark.parametrize(
    "names",
    [
        [],
        [x509.DNSName("cn.gba.customs.example")],
        [uri(CN.uri), uri(OFFICERS.uri)],
        [uri(CN.uri), uri(CN.uri)],
    ],
)
def test_exactly_one_uri(ca: CertificateAuthority, names: list[x509.GeneralName]) -> None:
    with pytest.raises(UnauthenticatedError, match="step 4"):
        inspect_certificate(crafted(ca, names=names))


@pytest.mark.parametrize(
    "text",
    [
        "spiffe://gba.customs.example/gateway/CN",
        "SPIFFE://gba.customs.example/gateway/cn",
        "spiffe://gba.customs.example/gateway/cn/",
        "spiffe://gba.customs.example:443/gateway/cn",
        "spiffe://gba.customs.example/gateway/c%6e",
        "spiffe://gba.customs.example/gateway/cn?x=1",
        "spiffe://gba.customs.example/operator/cn",
        "https://gba.customs.example/gateway/cn",
        "",
    ],
)
def test_only_canonical_identities(ca: CertificateAuthority, text: str) -> None:
    with pytest.raises(UnauthenticatedError, match="step 5"):
        inspect_certificate(crafted(ca, names=[uri(text)]))


def test_wrong_kinds_of_certificate(ca: CertificateAuthority) -> None:
    wrong = {
        "step 2: the key": {"key": ec.generate_private_key(ec.SECP384R1())},
        "step 2: the key isn't": {"key": ed25519.Ed25519PrivateKey.generate()},
        "step 2: the certificate isn't signed": {"algorithm": hashes.SHA384()},
        "step 3: this is the certificate of a CA": {"is_ca": True},
        "step 3: key usage": {"digital_signature": False},
        "step 3: extended key usage": {"usages": [ExtendedKeyUsageOID.SERVER_AUTH]},
        "step 3: extended": {"usages": []},
        "step 1: unknown critical": {
            "extra": x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
        },
    }
    for problem, changes in wrong.items():
        with pytest.raises(UnauthenticatedError, match=problem):
            inspect_certificate(crafted(ca, **changes))  # type: ignore[arg-type]


def test_no_certificate_two_certificates_too_much(ca: CertificateAuthority, gateway_pem: bytes) -> None:
    for pem in (b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", gateway_pem[:-60]):
        with pytest.raises(UnauthenticatedError, match="step 1"):
            inspect_certificate(pem)
    with pytest.raises(UnauthenticatedError, match="2 were given"):
        inspect_certificate(gateway_pem + ca.certificate_pem)
    with pytest.raises(UnauthenticatedError, match="more than"):
        inspect_certificate(gateway_pem + b"\n" * MAX_CERTIFICATE_PEM_BYTES)
    with pytest.raises(UnauthenticatedError, match="is the certificate of a CA"):
        inspect_certificate(ca.certificate_pem)


def resigned(pem: bytes, signature: Callable[[int, int], bytes]) -> bytes:
    """The certificate with the bytes that `signature` makes of its r and s."""
    certificate = x509.load_pem_x509_certificate(pem)
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    bits = b"\x00" + signature(*decode_dss_signature(certificate.signature))
    return pem_of(sequence(certificate.tbs_certificate_bytes + algorithm + b"\x03" + length_of(bits) + bits))


def length_of(content: bytes) -> bytes:
    count = len(content)
    return (
        bytes((count,))
        if count < 128
        else bytes((0x80 + (count > 255) + 1,)) + count.to_bytes((count > 255) + 1, "big")
    )


def sequence(content: bytes) -> bytes:
    return b"\x30" + length_of(content) + content


def integer(number: int, *, zeros: int = 0) -> bytes:
    content = bytes(zeros) + number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b"\x02" + length_of(content) + content


def pem_of(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + _base64_lines(der) + b"-----END CERTIFICATE-----\n"


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_bit_anywhere_is_refused(ca: CertificateAuthority, gateway_pem: bytes, data: st.DataObject) -> None:
    der = bytearray(x509.load_pem_x509_certificate(gateway_pem).public_bytes(serialization.Encoding.DER))
    der[data.draw(st.integers(0, len(der) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(UnauthenticatedError):
        believe(pem_of(bytes(der)), ca)


def _base64_lines(data: bytes) -> bytes:
    import base64

    return base64.encodebytes(data)


def test_a_ca_that_isnt_one(ca: CertificateAuthority, gateway_pem: bytes) -> None:
    assert "gba.customs.example" in inspect_ca(ca.certificate_pem).subject
    for pem in (gateway_pem, b"noise", ca.certificate_pem + b"\n", ca.certificate_pem + gateway_pem):
        with pytest.raises(ConfigurationError, match="CA certificate: "):
            inspect_ca(pem)
    with pytest.raises(ConfigurationError, match="not signed by itself"):
        inspect_ca(crafted(ca, is_ca=True, usages=[]))


def _own_ca(
    *, path_length: int | None, key_cert_sign: bool, subject: x509.Name
) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(not key_cert_sign, False, False, False, False, key_cert_sign, False, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + dt.timedelta(days=10))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key


def test_a_ca_of_another_shape_is_refused() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "some CA")])
    for path_length in (None, 1):
        with pytest.raises(ConfigurationError, match="path length 0"):
            inspect_ca(_own_ca(path_length=path_length, key_cert_sign=True, subject=name)[0])
    with pytest.raises(ConfigurationError, match="key usage"):
        inspect_ca(_own_ca(path_length=0, key_cert_sign=False, subject=name)[0])
    pem, key = _own_ca(path_length=0, key_cert_sign=True, subject=name)
    inspect_ca(pem)
    with pytest.raises(ConfigurationError, match=r"federation \(O\) and node \(OU\)"):
        CertificateAuthority(pem, key)


def test_a_ca_shows_whom_it_signs_for_and_no_key(ca: CertificateAuthority) -> None:
    assert repr(ca) == "CertificateAuthority(federation='gba.customs.example', node='cn')"


def test_a_ca_signs_only_what_is_expected(folder: Path, ca: CertificateAuthority, tmp_path: Path) -> None:
    request = create_request(CN, key_path=tmp_path / "gateway.key", dns_names=["cn.example"])
    assert inspect_request(request).identity == CN
    hk = GatewayIdentity(FEDERATION, "hk")
    refused = {
        "signs for node cn": {"identity": hk},
        "not for spiffe": {"identity": OFFICERS},
        "expected were other.example": {"dns_names": ["other.example"]},
        "expected were no DNS": {"dns_names": []},
        "days: 0": {"days": 0},
        "days: 399": {"days": MAX_LEAF_DAYS + 1},
        "CA itself ends": {"now": NOW + dt.timedelta(days=3600)},
    }
    for problem, changes in refused.items():
        with pytest.raises(ConfigurationError, match=problem):
            ca.issue(request, **{"identity": CN, "dns_names": ["cn.example"], "now": NOW, **changes})  # type: ignore[arg-type]
    assert inspect_certificate(ca.issue(request, identity=CN, dns_names=["cn.example"], now=NOW)).identity == CN


def _request(names: list[x509.GeneralName], key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def test_hostile_requests_are_refused(ca: CertificateAuthority) -> None:
    name = uri(CN.uri)
    refused = {
        "no identity": _request([]),
        "has 2": _request([name, name]),
        "other than URI": _request([name, x509.RFC822Name("a@example.com")]),
        "identity: ": _request([uri("spiffe://gba.customs.example/Gateway/cn")]),
        "P-256": _request([name], ec.generate_private_key(ec.SECP384R1())),
        "PEM form": b"noise",
        "more than": b"x" * (MAX_CERTIFICATE_PEM_BYTES + 1),
    }
    for problem, request in refused.items():
        with pytest.raises(ConfigurationError, match=problem):
            ca.issue(request, identity=CN, now=NOW)
    der = bytearray(x509.load_pem_x509_csr(_request([name])).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    tampered = b"-----BEGIN CERTIFICATE REQUEST-----\n" + _base64_lines(bytes(der))
    with pytest.raises(ConfigurationError, match="signature is wrong"):
        ca.issue(tampered + b"-----END CERTIFICATE REQUEST-----\n", identity=CN, now=NOW)
    system = _request([uri(OFFICERS.uri), x509.DNSName("cn.example")])
    with pytest.raises(ConfigurationError, match="client only"):
        ca.issue(system, identity=OFFICERS, dns_names=["cn.example"], now=NOW)


def test_a_request_that_cannot_be_is_refused_before_a_key_is_made(tmp_path: Path) -> None:
    key_path = tmp_path / "x.key"
    for arguments in (
        {"identity": OFFICERS, "dns_names": ["cn.example"]},
        {"identity": CN, "ip_addresses": ["not an address"]},
        {"identity": CN, "dns_names": ["müller.example"]},
        {"identity": CN, "dns_names": [f"n{i}.example" for i in range(17)]},
    ):
        with pytest.raises(ConfigurationError):
            create_request(key_path=key_path, **arguments)  # type: ignore[arg-type]
        assert not key_path.exists()
    with pytest.raises(MalformedError):
        create_ca(node="CN", federation=FEDERATION, key_path=key_path, now=NOW)
    assert not key_path.exists()


def test_a_ca_loads_with_its_own_key_only(folder: Path, ca: CertificateAuthority, tmp_path: Path) -> None:
    loaded = load_ca(ca.certificate_pem, folder / "ca.key")
    assert (loaded.federation, loaded.node) == (FEDERATION, "cn")
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    locked = create_ca(
        node="cn", federation=FEDERATION, key_path=tmp_path / "ca.key", now=NOW, passphrase=b"kept offline"
    )
    assert load_ca(locked.certificate_pem, tmp_path / "ca.key", b"kept offline").node == "cn"
    with pytest.raises(ConfigurationError, match="doesn't belong"):
        load_ca(ca.certificate_pem, tmp_path / "ca.key", b"kept offline")


def test_a_tls_key_is_given_to_the_tls_stack_in_the_clear_but_kept_encrypted(tmp_path: Path) -> None:
    create_request(CN, key_path=tmp_path / "gateway.key", passphrase=b"secret")
    assert b"ENCRYPTED" in (tmp_path / "gateway.key").read_bytes()
    assert load_tls_key_pem(tmp_path / "gateway.key", b"secret").startswith(b"-----BEGIN PRIVATE KEY-----")
    from gateway.trust.pki.keys import create_signing_key

    create_signing_key(tmp_path / "log.pem", name="x")
    with pytest.raises(ConfigurationError, match="isn't an ECDSA P-256 key"):
        load_tls_key_pem(tmp_path / "log.pem")
