"""What a connection with TLS 1.3 can't show; the rest is in faults/test_tls_listeners."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import UnauthenticatedError
from gateway.rpc import authentication
from gateway.rpc.authentication import REMEMBERED_S, Authenticator, LocalPort, PeerPort
from gateway.tls.certificates import inspect_certificate
from gateway.trust.rules.permissions import Principal, PrincipalKind, Role
from tests.support.listeners import SYSTEMS, Clock, Federation, gateway_of, now, system_of


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


class Connection:
    """The TLS state of a call, as gRPC states it."""

    def __init__(self, *certificates: bytes, version: tuple[bytes, ...] = (b"TLSv1.3",)) -> None:
        self._properties = {"x509_pem_cert": list(certificates), "ssl_tls_version": list(version)}

    def auth_context(self) -> Mapping[str, list[bytes]]:
        return {key: values for key, values in self._properties.items() if values}


def peer_authenticator(federation: Federation, clock: Clock | None = None) -> Authenticator:
    return Authenticator(port=PeerPort("cn"), directory=lambda: federation.directory, clock=clock or Clock())


def test_the_principal_says_who_and_with_which_certificate(federation: Federation) -> None:
    partner, desk = federation.issue(gateway_of("hk")), federation.issue(system_of("cn", "risk-desk"))
    local = Authenticator(port=LocalPort("cn", SYSTEMS), directory=lambda: federation.directory, clock=Clock())
    assert peer_authenticator(federation).authenticate(Connection(partner.certificate)) == Principal(
        PrincipalKind.PEER, "hk", "", frozenset(), partner.fingerprint
    )
    assert local.authenticate(Connection(desk.certificate)) == Principal(
        PrincipalKind.SYSTEM, "cn", "risk-desk", frozenset({Role.PUBLISHER}), desk.fingerprint
    )


@pytest.mark.parametrize("version", [(b"TLSv1.2",), (), (b"TLSv1.3", b"TLSv1.2"), (b"tlsv1.3",)])
def test_anything_but_tls_1_3_is_refused(federation: Federation, version: tuple[bytes, ...]) -> None:
    partner = federation.issue(gateway_of("hk"))
    with pytest.raises(UnauthenticatedError, match=r"connection: the connection isn't TLS 1\.3"):
        peer_authenticator(federation).authenticate(Connection(partner.certificate, version=version))


def test_exactly_one_certificate_is_needed(federation: Federation) -> None:
    pem = federation.issue(gateway_of("hk")).certificate
    for certificates in ((), (pem, pem), (pem + pem,), (b"",), (b"\xff" * 100,)):
        with pytest.raises(UnauthenticatedError, match="certificate: "):
            peer_authenticator(federation).authenticate(Connection(*certificates))


def test_a_refusal_names_the_claim_for_the_audit_log(federation: Federation) -> None:
    forged = federation.forge("mo", gateway_of("hk").uri, claimed=gateway_of("hk"))
    with pytest.raises(UnauthenticatedError, match="trust: ") as caught:
        peer_authenticator(federation).authenticate(Connection(forged.certificate))
    assert caught.value.metadata["claimed"] == gateway_of("hk").uri


def test_a_ca_in_the_directory_that_cannot_be_read_admits_nobody_and_says_so_to_nobody(federation: Federation) -> None:
    partner = federation.issue(gateway_of("hk"))
    damaged = replace(federation.directory.nodes["hk"], tls_ca_pems=("damaged",))
    federation.change(nodes=dict(federation.directory.nodes) | {"hk": damaged})
    with pytest.raises(UnauthenticatedError, match="trust: "):
        peer_authenticator(federation).authenticate(Connection(partner.certificate))


def test_a_remembered_certificate_is_checked_again_when_the_directory_changes(federation: Federation) -> None:
    partner, authenticator = federation.issue(gateway_of("hk")), peer_authenticator(federation)
    principal = authenticator.authenticate(Connection(partner.certificate))
    assert authenticator.authenticate(Connection(partner.certificate)) is principal
    federation.change()
    again = authenticator.authenticate(Connection(partner.certificate))
    assert again == principal
    assert again is not principal
    federation.change(revoked_certificates=frozenset({partner.fingerprint}))
    for attempt in (
        lambda: authenticator.authenticate(Connection(partner.certificate)),
        lambda: authenticator.recheck(principal),
    ):
        with pytest.raises(UnauthenticatedError, match="is revoked"):
            attempt()


def test_a_remembered_certificate_is_not_believed_past_its_end(federation: Federation) -> None:
    clock = Clock()
    end = now() + timedelta(seconds=REMEMBERED_S / 2)
    partner = federation.issue(gateway_of("hk"), at=end - timedelta(days=1), days=1)
    authenticator = peer_authenticator(federation, clock)
    principal = authenticator.authenticate(Connection(partner.certificate))
    clock.ahead = timedelta(seconds=REMEMBERED_S / 2 + 1)  # remembered still, so its own end is what counts
    with pytest.raises(UnauthenticatedError, match="isn't valid now"):
        authenticator.recheck(principal)
    clock.ahead = timedelta(0)
    assert authenticator.recheck(principal) == principal


def test_a_revocation_counts_at_once_without_a_new_number_of_the_directory(federation: Federation) -> None:
    partner, authenticator = federation.issue(gateway_of("hk")), peer_authenticator(federation)
    principal = authenticator.authenticate(Connection(partner.certificate))
    federation.directory = replace(federation.directory, revoked_certificates=frozenset({partner.fingerprint}))
    with pytest.raises(UnauthenticatedError, match="is revoked"):
        authenticator.recheck(principal)


def test_what_time_alone_changes_is_noticed_within_a_minute(federation: Federation) -> None:
    clock = Clock()
    partner, authenticator = federation.issue(gateway_of("hk")), peer_authenticator(federation, clock)
    federation.change(expires_at=now() + timedelta(seconds=REMEMBERED_S / 2), grace_days=0)
    principal = authenticator.authenticate(Connection(partner.certificate))
    clock.ahead = timedelta(seconds=REMEMBERED_S * 3 / 4)
    assert authenticator.recheck(principal) == principal  # not looked at again at once
    clock.ahead = timedelta(seconds=REMEMBERED_S + 1)
    with pytest.raises(UnauthenticatedError, match="expired"):
        authenticator.recheck(principal)


def test_memory_for_certificates_is_bounded_and_what_was_forgotten_is_refused(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "MAX_REMEMBERED", 2)
    authenticator = peer_authenticator(federation)
    partners = [federation.issue(gateway_of("hk")) for _ in range(3)]
    first, *others = [authenticator.authenticate(Connection(partner.certificate)) for partner in partners]
    with pytest.raises(UnauthenticatedError, match="no longer remembered"):
        authenticator.recheck(first)
    assert [authenticator.recheck(other) for other in others] == others
    assert authenticator.authenticate(Connection(partners[0].certificate)) == first


def test_the_latest_end_of_each_callers_certificates_is_known(federation: Federation) -> None:
    authenticator = peer_authenticator(federation)
    assert authenticator.certificate_ends() == {}
    short, long = (federation.issue(gateway_of("hk"), days=days) for days in (5, 30))
    ends = {}
    for credentials in (short, long, short):
        authenticator.authenticate(Connection(credentials.certificate))
        ends[credentials.fingerprint] = inspect_certificate(credentials.certificate).not_after
    assert authenticator.certificate_ends() == {"gateway/hk": ends[long.fingerprint]}
