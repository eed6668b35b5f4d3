"""Targets: identities, certificates, directory notes, revocations, node cards and audit events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli.directory.files import read_terms
from gateway.contract.ids import FeedOrigin, parse_spiffe
from gateway.errors import GatewayError
from gateway.tlog.note import parse_note, sign_note
from gateway.tls.certificates import authenticate, inspect_ca, inspect_certificate
from gateway.trust.codec.directory import decode_directory, encode_directory
from gateway.trust.codec.node_card import decode_card, encode_card
from gateway.trust.codec.owner_revocation import decode_revocation, encode_revocation
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.trust.rules.directory import NodeCard, directory_key_name
from gateway.trust.rules.owner_revocations import OwnerRevocation
from gateway.trust.service.owner_revocations import verify_revocation
from gateway.trust.service.trial_federation import FEDERATION
from tests.fuzz.target import target, text_of
from tests.support.certificates import pem_of
from tests.support.nodes import START, federation, trusted

NOTE = Path(__file__).parents[1] / "fixtures/first_release_candidate/directory.note"


def _identities() -> Iterator[bytes]:
    yield from (b"spiffe://gba.customs.example/gateway/hk", b"spiffe://gba.customs.example/system/hk/risk-desk")
    yield from (b"gba.customs.example/cn/hk/alerts", b"gba.customs.example/hk/hk/records")


@target(_identities, max_bytes=2_500)
def identities(data: bytes) -> None:
    """SPIFFE ids and names of feeds have one form."""
    text = text_of(data)
    with contextlib.suppress(GatewayError):
        assert parse_spiffe(text).uri == text
    assert FeedOrigin.parse(text).line == text


def _der() -> Iterator[bytes]:
    node = federation().node("hk")
    for path in (node.certificate, node.ca, node.system_certificate("officer")):
        if path.exists():
            yield x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


@target(_der)
def certificate(data: bytes) -> None:
    """A certificate is inspected or refused; only one that the CA signed is authenticated."""
    pem = pem_of(data)
    ca = federation().node("hk").ca.read_bytes()
    with contextlib.suppress(GatewayError):
        inspect_ca(pem)
    inspect_certificate(pem)
    authenticate(pem, trust_domain="gba.customs.example", ca_pems=[ca], revoked_fingerprints=(), now=START)
    assert data in set(_der())


@target(lambda: [federation().node("hk").certificate.read_bytes()])
def certificate_pem(data: bytes) -> None:
    """The same for any text in place of PEM."""
    inspect_certificate(data)


@cache
def _directory() -> bytes:
    return parse_note(NOTE.read_bytes()).unverified_text


@target(lambda: [_directory()], max_bytes=65_536)
def directory(data: bytes) -> None:
    """A directory is written as it was read."""
    assert encode_directory(decode_directory(data)) == data


@cache
def _revocation() -> bytes:
    hk = federation().node("hk")
    key = trusted().directory.nodes["hk"].log_keys[0].public_key
    pem = hk.certificate.read_text("ascii")
    return encode_revocation(OwnerRevocation(FEDERATION, "hk", START, "stolen", (pem,), {key: START}))


@target(lambda: [_revocation()], max_bytes=16_384)
def owner_revocation(data: bytes) -> None:
    """A revocation is written as it was read."""
    assert encode_revocation(decode_revocation(data)) == data


@cache
def _revocation_note() -> bytes:
    name = directory_key_name(FEDERATION, "hk")
    return sign_note(_revocation(), [load_signing_key(federation().directory_key("hk"), name=name)])


@target(lambda: [_revocation_note()], max_bytes=16_384)
def owner_revocation_note(data: bytes) -> None:
    """Only what the owner signed is taken."""
    verify_revocation(data, trusted().directory)
    assert data == _revocation_note()


def _card() -> bytes:
    current = trusted().directory
    node = current.nodes["hk"]
    key = current.authorities["hk"].directory_key
    return encode_card(NodeCard(current.federation, "hk", node, key, {"en": "Hong Kong"}))


@target(lambda: [_card()], max_bytes=16_384)
def node_card(data: bytes) -> None:
    """A card is written as it was read."""
    assert encode_card(decode_card(data)) == data


def _events() -> Iterator[bytes]:
    yield AuditEntry(1, "system/cn/risk", "/gateway.v1.AlertService/GetAlert", AuditResult.ALLOW).to_bytes()
    denied = AuditEntry(
        2, "gateway/hk", "x", AuditResult.DENY, detail="é\u4e2d", subject_ids=("a",), counts=(("n", 3),)
    )
    yield denied.to_bytes()


@target(_events)
def audit_event(data: bytes) -> None:
    """An audit event is written as it was read."""
    assert AuditEntry.from_bytes(data).to_bytes() == data


TERMS = (
    b'[[agreements]]\nsender = "hk"\nrecipient = "cn"\nmessage_types = ["AlertEvent"]\npurposes = ["smuggling"]\n'
    b'field_classes = ["PERSONAL"]\nclause = "Article 7"\n'
)


@target(
    lambda: [
        TERMS,
        *(TERMS + b"valid_from = " + time for time in (b"2026-01-01T00:00:00Z", b"0001-01-01T00:00:00+23:59")),
    ]
)
def agreement_terms(data: bytes) -> None:
    """Terms are agreements between two nodes, or every wrong member is named."""
    for agreement in read_terms(data, valid_from=START, valid_until=START + timedelta(days=90)):
        assert agreement.sender
        assert agreement.recipient
