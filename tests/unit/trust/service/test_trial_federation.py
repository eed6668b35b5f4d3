from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from gateway.contract.ids import GatewayIdentity, SystemIdentity
from gateway.errors import ConfigurationError, DirectoryError, DocumentInvalidError, MalformedError, OptionError
from gateway.tls.certificates import authenticate, inspect_certificate
from gateway.tls.private_keys import load_tls_key_pem
from gateway.trust.pki.issuance import load_ca
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.directory import FieldClass, MessageType
from gateway.trust.service.agreement_terms import ALERTS_ALONE, TRIAL_TERMS, agreements_among
from gateway.trust.service.directory_versions import RootOfTrust, accept
from gateway.trust.service.trial_federation import FEDERATION, FederationFolder, MemberSpec, create_federation

NOW = datetime(2026, 1, 15, 8, 0, 0, 999, tzinfo=UTC)
MEMBERS = (
    MemberSpec("cn", "127.0.0.1", 7001, 7002, {"officers": ["officer"], "declarations": ["publisher", "officer"]}),
    MemberSpec("hk", "hk.example", 7003, 7004, {"officers": ["officer"]}),
    MemberSpec("mo", "::1", 7005, 7006, display_names={"en": "Macao", "pt": "Alfândega"}),
)


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> FederationFolder:
    return create_federation(tmp_path_factory.mktemp("federation"), MEMBERS, now=NOW)


def test_the_directory_is_believed_with_the_anchors(federation: FederationFolder) -> None:
    trusted = accept(federation.directory.read_bytes(), now=NOW, anchors=federation.anchors)
    assert len(trusted.signed_by) == 3
    assert trusted.directory.threshold == 3
    assert trusted.directory.nodes["cn"].endpoints == ("127.0.0.1:7001",)
    assert trusted.directory.nodes["mo"].endpoints == ("[::1]:7005",)
    assert trusted.directory.authorities["mo"].display_names["pt"] == "Alfândega"
    assert trusted.warnings == ()
    pinned = RootOfTrust.from_vkeys(federation.anchor_vkeys, federation=FEDERATION, threshold=3)
    assert pinned == federation.anchors


def test_everyone_may_send_everyone_alerts_and_with_trial_terms_everything(federation: FederationFolder) -> None:
    directory = accept(federation.directory.read_bytes(), now=NOW, anchors=federation.anchors).directory
    everything = agreements_among(["cn", "hk", "mo"], TRIAL_TERMS, valid_from=NOW, valid_until=NOW + timedelta(days=5))
    for sender, recipient in product(("cn", "hk", "mo"), repeat=2):
        for kind in (MessageType.ALERT, MessageType.LIST_EVENT, MessageType.HISTORY_QUERY, MessageType.HISTORY_RECORD):
            for terms, alone in ((directory, True), (replace(directory, agreements=everything), False)):
                allowed = terms.allowed_field_classes(
                    sender, recipient, NOW, message_type=kind, purpose="export_control"
                )
                if sender == recipient or (alone and kind is not MessageType.ALERT):
                    assert allowed is None
                else:
                    assert allowed == ({FieldClass.INVESTIGATIVE} if alone else set(FieldClass))


def test_keys_in_the_folders_are_those_in_the_directory(federation: FederationFolder) -> None:
    directory = accept(federation.directory.read_bytes(), now=NOW, anchors=federation.anchors).directory
    for name in ("cn", "hk", "mo"):
        folder = federation.node(name)
        assert directory.log_keys(name, NOW) == (load_signing_key(folder.log_key, name="log").public_key,)
        assert directory.cosign_keys(name, NOW) == (load_signing_key(folder.receipts_key, name="receipts").public_key,)
        assert directory.tls_ca_pems(name) == (folder.ca.read_text(),)
        vkey = federation.directory_key(name).with_suffix(".vkey").read_text().strip()
        assert vkey == directory.authorities[name].directory_key
        assert vkey in federation.anchor_vkeys
        assert load_ca(folder.ca.read_bytes(), federation.ca_key(name)).node == name


def test_certificates_are_who_they_should_be(federation: FederationFolder) -> None:
    directory = accept(federation.directory.read_bytes(), now=NOW, anchors=federation.anchors).directory
    cn = federation.node("cn")
    checks = {"trust_domain": FEDERATION, "revoked_fingerprints": directory.revoked_certificates, "now": NOW}
    gateway = authenticate(cn.certificate.read_bytes(), ca_pems=directory.tls_ca_pems("cn"), **checks)  # type: ignore[arg-type]
    assert gateway.identity == GatewayIdentity(FEDERATION, "cn")
    assert gateway.certificate.dns_names == ("cn.gba.customs.example", "localhost")
    for name in ("officers", "declarations"):
        system = authenticate(
            cn.system_certificate(name).read_bytes(),
            ca_pems=directory.tls_ca_pems("cn"),
            **checks,  # type: ignore[arg-type]
        )
        assert system.identity == SystemIdentity(FEDERATION, "cn", name)
        assert load_tls_key_pem(cn.system_key(name))
    assert "hk.example" in inspect_certificate(federation.node("hk").certificate.read_bytes()).dns_names


def test_no_private_key_is_open_to_others_and_none_is_shared(federation: FederationFolder) -> None:
    secrets = [path for path in federation.path.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert len(secrets) == 3 * 5 + 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    assert len({path.read_bytes() for path in secrets}) == len(secrets)


def test_a_federation_is_never_made_over_another(federation: FederationFolder) -> None:
    before = federation.directory.read_bytes()
    with pytest.raises((ConfigurationError, OptionError), match="exists already"):
        create_federation(federation.path, MEMBERS, now=NOW)
    assert federation.directory.read_bytes() == before


def test_what_is_allowed_and_for_how_long_can_be_chosen(tmp_path: Path) -> None:
    agreements = agreements_among(["cn", "hk"], ALERTS_ALONE, valid_from=NOW, valid_until=NOW + timedelta(days=5))
    made = create_federation(
        tmp_path,
        MEMBERS,
        now=NOW,
        agreements=[replace(agreements[0], field_classes=frozenset())],
        threshold=2,
        leaf_days=1,
        directory_days=1,
        grace_days=1,
    )
    trusted = accept(made.directory.read_bytes(), now=NOW, anchors=made.anchors)
    assert trusted.directory.threshold == 2
    assert len(trusted.directory.agreements) == 1
    assert trusted.directory.partners("mo", NOW) == frozenset()
    leaf = inspect_certificate(made.node("cn").certificate.read_bytes())
    assert leaf.not_after == NOW.replace(microsecond=0) + timedelta(days=1)
    with pytest.raises(DirectoryError, match="grace are over"):
        accept(made.directory.read_bytes(), now=NOW + timedelta(days=3), anchors=made.anchors)


def test_wrong_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedError):
        create_federation(tmp_path / "a", [MemberSpec("CN")], now=NOW)
    with pytest.raises(MalformedError):
        create_federation(tmp_path / "b", [MemberSpec("cn", systems={"Officers!": []})], now=NOW)
    with pytest.raises((ConfigurationError, OptionError)):
        create_federation(tmp_path / "c", [], now=NOW)
    with pytest.raises(DocumentInvalidError, match=r"nodes\.cn\.endpoints\[0\]"):
        create_federation(tmp_path / "d", [MemberSpec("cn", "cn.example", 70_000)], now=NOW)
