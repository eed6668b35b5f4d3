import os
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, UnavailableError
from gateway.rpc.listener.tls import channel_credentials
from gateway.rpc.listener.tls_probe import probe_tls_versions, require_tls13_only
from gateway.tls.credentials import (
    MAX_PEM_BYTES,
    TlsFiles,
    TlsSource,
    anchors_from_file,
    load_material,
    split_trust_anchors,
)
from gateway.tls.private_keys import load_private_key, private_key_pem
from gateway.tls.secret_files import write_secret
from tests.support.listeners import Clock, Credentials, Federation, gateway_of, now, system_of


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


def load(federation: Federation, own: Credentials, files: TlsFiles | None = None, anchors: bytes | None = None):
    pem = federation.cas["hk"].certificate_pem if anchors is None else anchors
    return load_material(files or own.files, identity=gateway_of("cn"), trust_anchors_pem=pem, now=now())


def test_valid_credentials_load(federation: Federation) -> None:
    own = federation.issue(gateway_of("cn"))
    material = load(federation, own)
    assert material.certificate.identity == gateway_of("cn")
    assert (material.certificate_pem, material.certificate.fingerprint_sha256) == (own.certificate, own.fingerprint)


def test_what_does_not_fit_is_refused_and_the_file_named(federation: Federation) -> None:
    own, other = federation.issue(gateway_of("cn")), federation.issue(gateway_of("cn"))
    partner, system = federation.issue(gateway_of("hk")), federation.issue(system_of("cn", "risk-desk"))
    expired = federation.issue(gateway_of("cn"), at=now() - timedelta(days=40))
    mixed = TlsFiles(certificate=own.files.certificate, key=other.files.key)
    absent = TlsFiles(certificate=own.files.certificate, key=federation.folder / "absent.key")
    for files, message in [
        (partner.files, "is the certificate of spiffe://test.customs.example/gateway/hk, not of"),
        (system.files, "is the certificate of spiffe://test.customs.example/system/cn/risk-desk"),
        (expired.files, "valid from"),
        (mixed, "doesn't belong to the certificate"),
        (absent, "absent.key"),
        (TlsFiles(certificate=own.files.key, key=own.files.key), own.files.key.name),
        (TlsFiles(certificate=federation.folder, key=own.files.key), str(federation.folder)),
    ]:
        with pytest.raises(ConfigurationError) as caught:
            load(federation, own, files)
        assert message in str(caught.value)


def test_an_encrypted_key_opens_with_its_passphrase_alone(federation: Federation) -> None:
    own = federation.issue(gateway_of("cn"))
    encrypted = federation.folder / "encrypted.key"
    write_secret(encrypted, private_key_pem(load_private_key(own.files.key), b"open sesame"))
    files = TlsFiles(certificate=own.files.certificate, key=encrypted, passphrase=b"open sesame")
    assert load(federation, own, files).key_pem == load(federation, own).key_pem
    assert "sesame" not in repr(files)
    for passphrase in (None, b"open barley"):
        with pytest.raises(ConfigurationError, match=r"encrypted\.key"):
            load(federation, own, replace(files, passphrase=passphrase))


def test_trust_anchors_are_cas_and_nothing_else(federation: Federation) -> None:
    own = federation.issue(gateway_of("cn"))
    cas = [federation.cas[node].certificate_pem for node in ("hk", "mo")]
    assert split_trust_anchors(b"".join(cas)) == tuple(cas)
    for anchors in (b"", b"text", own.certificate, cas[0] + own.certificate, cas[0][:-30], b"x" * (MAX_PEM_BYTES + 1)):
        with pytest.raises(ConfigurationError):
            load(federation, own, anchors=anchors)
        with pytest.raises(ConfigurationError):
            channel_credentials(anchors, own.certificate, own.key)


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as errors since the last look, by its structured field."""
    found = [record.__dict__["error"] for record in caplog.records if record.levelname == "ERROR"]
    caplog.clear()
    return found


def source_of(federation: Federation, own: Credentials, clock: Clock | None = None) -> TlsSource:
    anchors = federation.folder / "anchors.pem"
    anchors.write_bytes(federation.cas["hk"].certificate_pem)
    return TlsSource(own.files, identity=own.identity, trust_anchors=anchors_from_file(anchors), clock=clock or Clock())


def test_nothing_changes_while_the_files_do_not(federation: Federation) -> None:
    source = source_of(federation, federation.issue(gateway_of("cn")))
    material = source.current()
    assert source.current() is material
    assert source.generation == 1


def test_a_valid_change_is_taken_over_and_counted(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    own, renewed = federation.issue(gateway_of("cn")), federation.issue(gateway_of("cn"))
    source = source_of(federation, own)
    fingerprint = renewed.fingerprint
    os.replace(renewed.files.key, own.files.key)
    assert source.current().certificate.fingerprint_sha256 != fingerprint  # the new key alone fits nothing
    assert len(errors_in(caplog)) == 1
    os.replace(renewed.files.certificate, own.files.certificate)
    assert source.current().certificate.fingerprint_sha256 == fingerprint
    assert source.generation == 2


def test_changed_trust_anchors_are_taken_over(federation: Federation) -> None:
    source = source_of(federation, federation.issue(gateway_of("cn")))
    both = federation.cas["hk"].certificate_pem + federation.cas["mo"].certificate_pem
    (federation.folder / "anchors.pem").write_bytes(both)
    assert source.current().trust_anchors_pem == both
    assert source.generation == 2


@pytest.mark.parametrize("what", ["anchors.pem", "certificate", "key"])
def test_a_file_that_vanishes_is_reported_once_and_may_come_back(
    federation: Federation, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = federation.issue(gateway_of("cn"))
    source = source_of(federation, own)
    before = source.current()
    path = federation.folder / what if what == "anchors.pem" else getattr(own.files, what)
    path.rename(path.with_suffix(".away"))
    assert [source.current() is before for _ in range(3)] == [True, True, True]
    assert [path.name in error for error in errors_in(caplog)] == [True]
    path.with_suffix(".away").rename(path)
    assert source.current().certificate == before.certificate
    assert errors_in(caplog) == []


def test_an_expired_replacement_keeps_what_worked(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    own = federation.issue(gateway_of("cn"))
    expired = federation.issue(gateway_of("cn"), at=now() - timedelta(days=40))
    source = source_of(federation, own)
    before = source.current()
    os.replace(expired.files.key, own.files.key)
    os.replace(expired.files.certificate, own.files.certificate)
    assert source.current() is before
    assert ["valid from" in error for error in errors_in(caplog)] == [True]


def test_the_first_load_must_be_valid(federation: Federation) -> None:
    own = federation.issue(gateway_of("cn"))
    with pytest.raises(ConfigurationError):
        source_of(federation, own, Clock(ahead=timedelta(days=31)))


def test_the_probe_says_when_nothing_answers_or_answers_otherwise() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]  # accepts and never answers
        assert not probe_tls_versions("127.0.0.1", port, timeout_s=0.1).floor_holds
        with pytest.raises(ConfigurationError, match=r"doesn't speak TLS 1\.3"):
            require_tls13_only("127.0.0.1", port, timeout_s=0.1)
    with pytest.raises(UnavailableError):
        probe_tls_versions("127.0.0.1", port, timeout_s=0.1)
