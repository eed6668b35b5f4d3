"""Certificates that a stranger, a partner or a partner's CA can make: refused by form or trust, also over real TLS.

Each case is a certificate with its key. Authentication refuses it with the step's reason; a call with it over real TLS
reaches no handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from typing import NamedTuple

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from gateway.contract.channel_options import channel_options
from gateway.errors import UnauthenticatedError
from gateway.rpc.authentication import Authenticator, LocalPort, PeerPort
from gateway.tls.certificates import MAX_CERTIFICATE_PEM_BYTES
from tests.support.certificates import (
    LEAF,
    Form,
    PrivateKey,
    ca_key,
    key_pem,
    new_key,
    pem_of,
    sign,
    uri,
    usage,
)
from tests.support.listeners import (
    FEDERATION,
    SERVICE,
    SYSTEMS,
    Clock,
    Federation,
    RunningNode,
    gateway_of,
    running_node,
    system_of,
)

HK = gateway_of("hk").uri
DESK = system_of("cn", "risk-desk").uri
SPIFFE = f"spiffe://{FEDERATION}"
SERIAL_1 = b"\xa0\x03\x02\x01\x02\x02\x01\x01"
"""Version 3 and serial number 1 in DER."""
LENGTH_0 = x509.BasicConstraints(ca=True, path_length=0)
PADDING = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.3"), bytes(MAX_CERTIFICATE_PEM_BYTES))


class Identity(NamedTuple):
    """A certificate chain as presented, and its key."""

    pem: bytes
    key: PrivateKey


@dataclass(frozen=True)
class Case:
    """How a certificate is made, at which port it is shown, and the words of its refusal."""

    make: Callable[[Federation], Identity]
    reason: str
    port: str = "peer"
    revoked: bool = False


def made(federation: Federation, form: Form) -> Identity:
    key = new_key(form.key)
    ca = x509.load_pem_x509_certificate(federation.cas[form.signer].certificate_pem)
    return Identity(sign(form, key, ca=ca, by=ca_key(federation, form.signer)), key)


def peer(reason: str, **changes: object) -> Case:
    return Case(partial(made, form=replace(Form(), **changes)), reason)


def named(reason: str, *names: str, **changes: object) -> Case:
    return peer(reason, names=tuple(map(uri, names)), **changes)


def local(reason: str, *names: str, **changes: object) -> Case:
    form = replace(Form(signer="cn", names=tuple(map(uri, names or (DESK,)))), **changes)
    return Case(partial(made, form=form), reason, "local")


def eku(*usages: ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage(usages)


def day(number: float) -> timedelta:
    return timedelta(days=number)


TIME = {
    "expired a second ago": peer("step 8 validity", starts=day(-30), ends=timedelta(seconds=-1)),
    "expired a year ago": peer("step 8 validity", starts=day(-700), ends=day(-365)),
    "valid from tomorrow": peer("step 8 validity", starts=day(1), ends=day(2)),
    "valid in ten years": peer("step 8 validity", starts=day(3650), ends=day(3651)),
    "a system's, expired": local("step 8 validity", starts=day(-30), ends=day(-1)),
    "a system's, of the future": local("step 8 validity", starts=day(1), ends=day(2)),
}

NAMES = {
    "no names at all": peer("exactly one URI SAN", names=None),
    "a DNS name alone": peer("exactly one URI SAN", names=(x509.DNSName(f"hk.{FEDERATION}"),)),
    "an address alone": peer("exactly one URI SAN", names=(x509.IPAddress(ip_address("127.0.0.1")),)),
    "the id as a DNS name": peer("exactly one URI SAN", names=(x509.DNSName(HK),)),
    "the id as a mail address": peer("exactly one URI SAN", names=(x509.RFC822Name("gateway@hk"),)),
    "the id in the common name": peer("exactly one URI SAN", names=None, subject=HK),
    "two nodes": named("exactly one URI SAN", HK, gateway_of("mo").uri),
    "one node twice": named("exactly one URI SAN", HK, HK),
    "a node and a web address": named("exactly one URI SAN", HK, "https://hk.example"),
    "names marked critical, two": named("exactly one URI SAN", HK, HK, names_critical=True),
    "empty URI": named("step 5", ""),
    "scheme alone": named("step 5", "spiffe://"),
    "federation alone": named("step 5", SPIFFE),
    "http": named("step 5", f"https://{FEDERATION}/gateway/hk"),
    "scheme in capitals": named("step 5", f"SPIFFE://{FEDERATION}/gateway/hk"),
    "federation in capitals": named("step 5", f"spiffe://{FEDERATION.upper()}/gateway/hk"),
    "node in capitals": named("step 5", f"{SPIFFE}/gateway/HK"),
    "slash at the end": named("step 5", f"{HK}/"),
    "two slashes": named("step 5", f"{SPIFFE}//gateway/hk"),
    "dots": named("step 5", f"{SPIFFE}/gateway/mo/../hk"),
    "a dot": named("step 5", f"{SPIFFE}/gateway/./hk"),
    "an escape": named("step 5", f"{SPIFFE}/gateway/%68k"),
    "an escaped slash": named("step 5", f"{SPIFFE}/gateway%2Fhk"),
    "a zero byte": named("step 5", f"{HK}\0"),
    "a zero byte before more": named("step 5", f"{HK}\0.example"),
    "a line feed": named("step 5", f"{HK}\n"),
    "a space": named("step 5", f"{HK} "),
    "a query": named("step 5", f"{HK}?x=1"),
    "a fragment": named("step 5", f"{HK}#x"),
    "a port": named("step 5", f"spiffe://{FEDERATION}:443/gateway/hk"),
    "a user": named("step 5", f"spiffe://user@{FEDERATION}/gateway/hk"),
    "no kind": named("step 5", f"{SPIFFE}/hk"),
    "another kind": named("step 5", f"{SPIFFE}/server/hk"),
    "one part more": named("step 5", f"{HK}/more"),
    "no node": named("step 5", f"{SPIFFE}/gateway/"),
    "node beginning with a digit": named("step 5", f"{SPIFFE}/gateway/1hk"),
    "node of 33 letters": named("step 5", f"{SPIFFE}/gateway/{'h' * 33}"),
    "longer than an id may be": named("step 5", f"{SPIFFE}/gateway/{'h' * 3_000}"),
    "another federation": named("isn't of federation", "spiffe://other.example/gateway/hk"),
    "a federation that ends alike": named("isn't of federation", f"spiffe://evil-{FEDERATION}/gateway/hk"),
    "a federation that begins alike": named("isn't of federation", f"spiffe://{FEDERATION}.evil.example/gateway/hk"),
    "a node nobody named": named("names no node", gateway_of("xx").uri),
    "this node itself": named("claims to be this node itself", gateway_of("cn").uri, signer="hk"),
    "this node itself, truly": named("claims to be this node itself", gateway_of("cn").uri, signer="cn"),
    "a partner's system": named("is a system", system_of("hk", "risk-desk").uri),
    "a system with slash": local("step 5", f"{DESK}/"),
    "a system without name": local("step 5", f"{SPIFFE}/system/cn/"),
    "a system nobody named": local("the settings name no system", system_of("cn", "stranger").uri),
    "a system of another node": local("is a system of another node", system_of("hk", "risk-desk").uri),
    "our gateway as a system": local("is a gateway", gateway_of("cn").uri),
}

USES = {
    "for servers alone": peer("extended key usage", extended=eku(ExtendedKeyUsageOID.SERVER_AUTH)),
    "for code signing": peer("extended key usage", extended=eku(ExtendedKeyUsageOID.CODE_SIGNING)),
    "for anything": peer("extended key usage", extended=eku(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)),
    "for nothing that is said": peer("extended key usage", extended=None),
    "for an unknown purpose": peer("extended key usage", extended=eku(ObjectIdentifier("1.3.6.1.4.1.55555.1"))),
    "without key usage": peer("key usage", key_usage=None),
    "not for signatures": peer("key usage", key_usage=usage(digital_signature=False, key_encipherment=True)),
    "for signing certificates": peer("key usage", key_usage=usage(key_cert_sign=True)),
    "a CA": peer("certificate of a CA", constraints=x509.BasicConstraints(True, None)),
    "a CA of length 0": peer("certificate of a CA", constraints=LENGTH_0, key_usage=usage(key_cert_sign=True)),
    "a system's for servers": local("extended key usage", extended=eku(ExtendedKeyUsageOID.SERVER_AUTH)),
}

KEYS = {
    **{f"key {kind}": peer("isn't ECDSA P-256", key=kind) for kind in ("P-384", "P-521", "RSA", "Ed25519")},
    **{f"key {kind}": peer("isn't ECDSA P-256", key=kind) for kind in ("secp256k1", "Brainpool")},
    "signed with SHA-384": peer("isn't signed with ECDSA and SHA-256", digest=hashes.SHA384),
    "signed with SHA-512": peer("isn't signed with ECDSA and SHA-256", digest=hashes.SHA512),
    "an unknown critical extension": peer(
        "unknown critical extension",
        extensions=((x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.2"), b"\x05\x00"), True),),
    ),
}


def of_foreign_ca(federation: Federation, node: str, form: Form) -> Identity:
    """By a CA that has the true name and another key."""
    key, foreign = new_key(form.key), federation.foreign_ca(node)
    ca = x509.load_pem_x509_certificate(foreign.certificate_pem)
    return Identity(sign(form, key, ca=ca, by=foreign._private_key), key)


def signed_by_itself(federation: Federation, *, as_ca: bool) -> Identity:
    key = new_key("P-256")
    ca = x509.load_pem_x509_certificate(federation.cas["hk"].certificate_pem)
    return Identity(sign(Form(issuer="" if as_ca else "crafted"), key, ca=ca, by=key), key)


def under_a_leaf(federation: Federation, *, chain: bool) -> Identity:
    """A sound gateway of hk signs for mo, and sends itself along as an intermediate CA."""
    middle = made(federation, Form())
    key = new_key("P-256")
    ca = x509.load_pem_x509_certificate(middle.pem)
    leaf = sign(Form(names=(uri(gateway_of("mo").uri),)), key, ca=ca, by=middle.key)
    return Identity(leaf + middle.pem if chain else leaf, key)


def under_a_middle_ca(federation: Federation, constraints: x509.BasicConstraints) -> Identity:
    """hk's CA signs a CA, though its own path length is 0."""
    middle = made(federation, Form(constraints=constraints, key_usage=usage(key_cert_sign=True), subject="middle"))
    key = new_key("P-256")
    ca = x509.load_pem_x509_certificate(middle.pem)
    return Identity(sign(Form(), key, ca=ca, by=middle.key) + middle.pem, key)


def followed_by(federation: Federation, *, first: str, second: str) -> Identity:
    """Two certificates of one key in one file."""
    one, other = made(federation, Form(names=(uri(first),))), made(federation, Form(names=(uri(second),)))
    return Identity(one.pem + other.pem, one.key)


def changed(federation: Federation, change: Callable[[bytes], bytes]) -> Identity:
    """A sound certificate whose DER a test changes."""
    sound = made(federation, Form(serial=1))
    der = x509.load_pem_x509_certificate(sound.pem).public_bytes(serialization.Encoding.DER)
    return Identity(pem_of(change(der)), sound.key)


def of_ca_itself(federation: Federation) -> Identity:
    return Identity(federation.cas["hk"].certificate_pem, ca_key(federation, "hk"))


def swapped(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(der: bytes) -> bytes:
        assert old in der
        return der.replace(old, new)

    return change


def constrained(federation: Federation) -> Identity:
    """By a CA of hk that names itself so, under name constraints that forbid the id."""
    permitted = x509.NameConstraints([x509.UniformResourceIdentifier("mo.example")], None)
    return made(federation, Form(names=(uri(gateway_of("mo").uri),), extensions=((permitted, True),)))


TRUST = {
    "a CA nobody named": Case(partial(of_foreign_ca, node="hk", form=Form()), "isn't signed by a CA of node hk"),
    "a CA nobody named, locally": Case(
        partial(of_foreign_ca, node="cn", form=Form(names=(uri(DESK),))), "isn't signed by a CA of node cn", "local"
    ),
    "another partner's CA": peer("isn't signed by a CA of node hk", signer="mo"),
    "our CA for a partner": peer("isn't signed by a CA of node hk", signer="cn"),
    "a partner's CA for a system": Case(
        partial(made, form=Form(names=(uri(DESK),), signer="hk")), "isn't signed by a CA of node cn", "local"
    ),
    "another issuer's name": peer("isn't signed by a CA of node hk", issuer="somebody else"),
    "itself": Case(partial(signed_by_itself, as_ca=False), "isn't signed by a CA of node hk"),
    "itself, in the CA's name": Case(partial(signed_by_itself, as_ca=True), "isn't signed by a CA of node hk"),
    "a gateway as a CA": Case(partial(under_a_leaf, chain=False), "isn't signed by a CA of node mo"),
    "a gateway as a CA, sent along": Case(partial(under_a_leaf, chain=True), "one certificate is needed"),
    "a CA below the CA": Case(
        partial(under_a_middle_ca, constraints=x509.BasicConstraints(True, 0)), "one certificate"
    ),
    "no CA below the CA": Case(partial(under_a_middle_ca, constraints=LEAF), "one certificate is needed"),
    "two, the true one behind": Case(
        partial(followed_by, first=gateway_of("mo").uri, second=HK), "one certificate is needed"
    ),
    "name constraints of its own": Case(constrained, "isn't signed by a CA of node mo"),
    "the CA itself": Case(of_ca_itself, "certificate of a CA"),
    "revoked": Case(partial(made, form=Form()), "is revoked", revoked=True),
    "revoked system": Case(
        partial(made, form=Form(names=(uri(DESK),), signer="cn")), "is revoked", "local", revoked=True
    ),
    "another node put into it": Case(
        partial(changed, change=swapped(b"/gateway/hk", b"/gateway/mo")), "isn't signed by a CA of node mo"
    ),
    "validity put into it": Case(
        partial(changed, change=swapped(b"crafted", b"Crafted")), "isn't signed by a CA of node hk"
    ),
    "serial number 0": Case(
        partial(changed, change=swapped(SERIAL_1, SERIAL_1[:-1] + b"\x00")), "no certificate in PEM form"
    ),
    "serial number -1": Case(
        partial(changed, change=swapped(SERIAL_1, SERIAL_1[:-1] + b"\xff")), "no certificate in PEM form"
    ),
    "cut off": Case(partial(changed, change=lambda der: der[:-40]), "no certificate in PEM form"),
    "bytes behind it": Case(partial(changed, change=lambda der: der + b"\x00" * 8), "no certificate in PEM form"),
    "nothing in it": Case(partial(changed, change=lambda der: b""), "no certificate in PEM form"),
    "noise in it": Case(partial(changed, change=lambda der: bytes(range(256))), "no certificate in PEM form"),
    "larger than any": peer(
        "more than",
        extensions=(
            (
                PADDING,
                False,
            ),
        ),
    ),
}

CASES: Mapping[str, Case] = TIME | NAMES | USES | KEYS | TRUST


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return Federation(tmp_path_factory.mktemp("federation"))


@pytest.fixture(scope="module")
def identities(federation: Federation) -> Mapping[str, Identity]:
    identities = {name: case.make(federation) for name, case in CASES.items()}
    revoked = [x509.load_pem_x509_certificate(identities[name].pem) for name, case in CASES.items() if case.revoked]
    federation.change(revoked_certificates=frozenset(one.fingerprint(hashes.SHA256()).hex() for one in revoked))
    return identities


class Connection:
    """The TLS state of a call, as gRPC states it."""

    def __init__(self, pem: bytes) -> None:
        self._pem = pem

    def auth_context(self) -> Mapping[str, list[bytes]]:
        return {"x509_pem_cert": [self._pem], "ssl_tls_version": [b"TLSv1.3"]}


def test_the_table_has_a_sound_certificate_to_start_from(federation: Federation) -> None:
    """Otherwise all could be refused for one reason that isn't theirs."""
    sound = Authenticator(port=PeerPort("cn"), directory=lambda: federation.directory, clock=Clock())
    assert sound.authenticate(Connection(made(federation, Form()).pem)).node == "hk"
    desk = Authenticator(port=LocalPort("cn", SYSTEMS), directory=lambda: federation.directory, clock=Clock())
    assert (
        desk.authenticate(Connection(made(federation, Form(signer="cn", names=(uri(DESK),))).pem)).name == "risk-desk"
    )
    assert len(CASES) >= 77


@pytest.mark.parametrize("name", CASES)
def test_authentication_refuses_a_wrong_certificate(
    federation: Federation, identities: Mapping[str, Identity], name: str
) -> None:
    case = CASES[name]
    port = PeerPort("cn") if case.port == "peer" else LocalPort("cn", SYSTEMS)
    authenticator = Authenticator(port=port, directory=lambda: federation.directory, clock=Clock())
    for _ in range(2):  # what was refused isn't remembered as good
        with pytest.raises(UnauthenticatedError) as caught:
            authenticator.authenticate(Connection(identities[name].pem))
        assert case.reason in caught.value.message


TRIES = 3
"""Of calls that ended without an answer, where too few got one."""


def test_no_wrong_certificate_reaches_a_handler(federation: Federation, identities: Mapping[str, Identity]) -> None:
    async def attempt(node: RunningNode, name: str) -> grpc.StatusCode:
        case, identity = CASES[name], identities[name]
        roots = federation.cas["cn"].certificate_pem
        credentials = grpc.ssl_channel_credentials(roots, key_pem(identity.key), identity.pem)
        port = (node.peer if case.port == "peer" else node.local).port
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=channel_options()) as channel:
            try:
                await channel.unary_unary(f"/{SERVICE}/Unary")(b"x", timeout=20)
            except grpc.aio.AioRpcError as error:
                return error.code()
        return grpc.StatusCode.OK

    async def run() -> None:
        async with running_node(federation) as node:
            codes = await asyncio.gather(*(attempt(node, name) for name in CASES))
            for _ in range(TRIES):  # a connection that ends before its answer gives none: asked again, not all at once
                if codes.count(grpc.StatusCode.UNAUTHENTICATED) <= 30:
                    codes = [
                        await attempt(node, name) if code is grpc.StatusCode.UNAVAILABLE else code
                        for name, code in zip(CASES, codes, strict=True)
                    ]
            refused = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED}
            assert {name: code for name, code in zip(CASES, codes, strict=True) if code not in refused} == {}
            assert node.handlers.handled == 0
            assert codes.count(grpc.StatusCode.UNAUTHENTICATED) > 30, "many pass the handshake, not the interceptor"

    asyncio.run(asyncio.wait_for(run(), 120))
