"""Finds out, after a failed connection, what answers at an address and why it can't be the gateway that is meant.

One look by TLS alone, at credentials that are in files; nothing is sent that a gateway would record as a call.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.contract.ids import GatewayIdentity, SystemIdentity
from gateway.errors import ConfigurationError, GatewayError, UnauthenticatedError, UnavailableError
from gateway.tls.certificates import PeerCertificate, authenticate, inspect_ca, inspect_certificate
from gateway.tls.credentials import MAX_PEM_BYTES, split_trust_anchors
from gateway.tls.examined_connections import examining_context, presented_certificate, secured
from gateway.translation.messages import gettext as _

PATIENCE_S = 3.0
"""Seconds for connecting, and for each step of the handshake."""

PEEK_S = 0.5
"""Seconds in which a gateway refuses a certificate after the handshake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What was tried: an address, and the files that were used; `local_address` is the right one where it is known."""

    address: str
    ca: Path
    certificate: Path
    key: Path
    identity: SystemIdentity
    local_address: str = ""


class NoAnswerError(UnavailableError):
    """No gateway answered; `diagnosed` says why. `cause`: gRPC's words, in English."""

    def __init__(self, attempt: Attempt, cause: str = "") -> None:
        super().__init__(
            _("no gateway answers at {address}", address=attempt.address),
            way_out=_("Check that it runs, with `gateway doctor` on its machine, and the address."),
        )
        self._attempt = attempt
        self._cause = cause

    def diagnosed(self) -> UnavailableError:
        """The same with what a look at the port has found; blocks for some seconds at most."""
        try:
            return diagnose(self._attempt, cause=self._cause)
        except GatewayError as error:  # files have changed meanwhile
            return UnavailableError(f"{self.message}: {error.message}", way_out=error.way_out)


class WrongGatewayError(UnavailableError):
    """Something answers, or the address is none: waiting doesn't make the caller's gateway of it."""


def diagnose(attempt: Attempt, *, cause: str = "", now: datetime | None = None) -> UnavailableError:
    """What answers at the address, as an error with the one step that helps; `cause`: why the call failed.

    1. Something listens there.
    2. It speaks TLS 1.3.
    3. It is a gateway, and the one whose certificate the caller's CA vouches for.
    4. It takes the caller's certificate.
    """
    try:
        connection = _connected(attempt.address)  # 1
    except UnavailableError as error:
        return error
    with contextlib.closing(connection), contextlib.ExitStack() as ends:
        try:
            tls = ends.enter_context(secured(connection, _context(attempt), server_name=attempt.address))  # 2
        except (OSError, ValueError) as error:
            return _not_tls(attempt, error)
        at = now or datetime.now(UTC)
        problem = _of_server(attempt, presented_certificate(tls), at)  # 3
        return problem or _of_client(attempt, tls, at, cause)  # 4


def _connected(address: str) -> socket.socket:
    host, _colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise _wrong(_("{address!r} isn't an address", address=address), _("Give host:port, e.g. 127.0.0.1:7444."))
    try:
        return socket.create_connection((host, int(port)), PATIENCE_S)
    except ConnectionRefusedError:
        raise _found(
            _("nobody listens at {address}", address=address),
            _("Start the gateway with `gateway serve`, or correct the address: it is its local_bind."),
        ) from None
    except socket.gaierror:
        raise _found(
            _("there is no host {host}", host=host), _("Correct the host's name, or give its IP address.")
        ) from None
    except OSError as error:
        why = _("no answer within {seconds:g} s", seconds=PATIENCE_S) if isinstance(error, TimeoutError) else ""
        raise _found(
            _("{address} can't be reached: {why}", address=address, why=why or error.strerror or error),
            _("Check the address, the network and firewalls between here and there."),
        ) from None


def _context(attempt: Attempt) -> ssl.SSLContext:
    context = examining_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(attempt.certificate, attempt.key)
    return context


def _not_tls(attempt: Attempt, error: Exception) -> UnavailableError:
    way_out = _("Give the gateway's own address: {form}.", form=_form(attempt))
    if isinstance(error, ssl.SSLError) and "PROTOCOL_VERSION" in (error.reason or ""):
        return _wrong(
            _("{address} speaks an older TLS than 1.3, so it isn't a gateway", address=attempt.address), way_out
        )
    answers = _("{address} answers, but not in TLS: it isn't a gateway's port", address=attempt.address)
    if isinstance(error, (TimeoutError, ConnectionError, ssl.SSLEOFError)):  # also a gateway that stops, or a proxy's
        return _found(answers, way_out)
    if isinstance(error, ssl.SSLError):
        return _wrong(answers, way_out)
    return _wrong(_("{certificate} or {key} can't be used", certificate=attempt.certificate, key=attempt.key), way_out)


def _of_server(attempt: Attempt, pem: bytes, now: datetime) -> UnavailableError | None:
    """What keeps the server from being this caller's gateway."""
    here, own = attempt.address, attempt.identity
    try:
        shown = inspect_certificate(pem)
    except GatewayError:
        return _wrong(
            _("{address} answers in TLS with a certificate that is no gateway's", address=here),
            _("Give the gateway's own address: {form}.", form=_form(attempt)),
        )
    other = _other(shown, own)
    if other:
        return _wrong(
            _("{address} answers as {other}, your certificate is {own}'s", address=here, other=other, own=own.node),
            _("Give the address of {own}'s gateway, or a certificate that {other} issued.", own=own.node, other=other),
        )
    return _of_issuer(attempt, pem, shown, now)


def _other(shown: PeerCertificate, own: SystemIdentity) -> str:
    """Who answers instead; empty for the caller's own gateway."""
    identity = shown.identity
    if identity.trust_domain != own.trust_domain:
        return _("{node} of federation {federation}", node=identity.node, federation=identity.trust_domain)
    if isinstance(identity, GatewayIdentity) and shown.server_auth:
        return identity.node if identity.node != own.node else ""
    return str(identity)


def _of_issuer(attempt: Attempt, pem: bytes, shown: PeerCertificate, now: datetime) -> UnavailableError | None:
    if not shown.not_before <= now <= shown.not_after:
        return _wrong(
            _("the certificate of the gateway at {address} isn't valid now", address=attempt.address)
            + f" ({shown.not_before:%Y-%m-%d} – {shown.not_after:%Y-%m-%d})",
            _("Its operator issues a new one with `gateway pki issue`; also compare the clocks."),
        )
    if _issued(pem, attempt, now):
        return None
    names = ", ".join(inspect_ca(part).subject for part in split_trust_anchors(_read(attempt.ca)))
    return _wrong(
        _(
            "the gateway at {address} says that it is {node}, but {ca} ({names}) didn't issue its certificate",
            address=attempt.address,
            node=shown.identity.node,
            ca=attempt.ca,
            names=names,
        ),
        _("Give {node}'s present ca.pem with --ca (GATEWAY_CA).", node=shown.identity.node),
    )


def _of_client(attempt: Attempt, secured: ssl.SSLSocket, now: datetime, cause: str) -> UnavailableError:
    """Whether the gateway takes the caller's certificate: in TLS 1.3 it says so after the handshake."""
    refused = False
    secured.settimeout(PEEK_S)
    try:
        refused = not secured.recv(1)
    except TimeoutError:
        pass
    except OSError:
        refused = True
    if not refused:
        return _found(
            _(
                "the gateway at {address} answers now; the connection ended before it answered ({cause})",
                address=attempt.address,
                cause=cause or "—",
            ),
            _("Try again; if it goes on, its log says why."),
        )
    if not _issued(_read(attempt.certificate), attempt, now):
        return _wrong(
            _("{ca} didn't issue {certificate}", ca=attempt.ca, certificate=attempt.certificate),
            _("Give a certificate that {node}'s CA issued (`gateway pki issue`).", node=attempt.identity.node),
        )
    return _refused_though_issued(attempt)


def _refused_though_issued(attempt: Attempt) -> UnavailableError:
    """The port is another one, or the gateway's clock is: TLS doesn't say why it ends."""
    here, port = attempt.address, attempt.address.rpartition(":")[2]
    if attempt.local_address and attempt.local_address.rpartition(":")[2] != port:
        return _wrong(
            _(
                "{address} is {node}'s port for partners' gateways; systems have another",
                address=here,
                node=attempt.identity.node,
            ),
            _("Give its local port: {form}.", form=_form(attempt)),
        )
    shown = inspect_certificate(_read(attempt.certificate))
    clocks = _("Compare the clock of the gateway's machine with this one's, and set the wrong one right.")
    refusal = _(
        "the gateway at {address} refuses {certificate}, which is valid from {begin} to {end} by this machine's clock",
        address=here,
        certificate=attempt.certificate,
        begin=f"{shown.not_before:%Y-%m-%d %H:%M}",
        end=f"{shown.not_after:%Y-%m-%d %H:%M} UTC",
    )
    if attempt.local_address:
        return _wrong(refusal, clocks)
    other_port = _("If {address} is its port for partners' gateways, give its local port instead.", address=here)
    return _wrong(refusal, f"{clocks} {other_port}")


def _issued(pem: bytes, attempt: Attempt, now: datetime) -> bool:
    """Whether the caller's CA issued a certificate that is valid now."""
    try:
        authenticate(
            pem,
            trust_domain=attempt.identity.trust_domain,
            ca_pems=split_trust_anchors(_read(attempt.ca)),
            revoked_fingerprints=(),
            now=now,
        )
    except UnauthenticatedError:
        return False
    return True


def _form(attempt: Attempt) -> str:
    host = attempt.address.rpartition(":")[0]
    return attempt.local_address or _("{host}:PORT, its local_bind (7444 where nothing else is set)", host=host)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PEM_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None


def _found(message: str, way_out: str) -> UnavailableError:
    return UnavailableError(message, way_out=way_out)


def _wrong(message: str, way_out: str) -> WrongGatewayError:
    return WrongGatewayError(message, way_out=way_out)
