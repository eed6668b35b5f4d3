"""Mistakes that show only when a command connects: what answers is told, and the step that helps.

The others are in tests/unit/cli/test_mistakes.py.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.contract.ids import SystemIdentity
from gateway.errors import ConfigurationError
from gateway.trust.pki.issuance import create_ca, create_request, load_ca
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.federation import Federation, with_logs
from tests.unit.cli.test_mistakes import RAW, told

ID = "019bbf30-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("mistakes")):
        made.start("cn", "hk")
        yield made


@contextmanager
def listener(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port that does something else than a gateway."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        answer(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def plain(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def foreign_tls(certificate: Path, key: Path, newest: ssl.TLSVersion) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(certificate, key)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    return answer


def issued(nodes: Federation, folder: Path, *, name: str, expired: bool = False) -> tuple[str, ...]:
    """Options for a certificate of a system of hk; an expired one is of a CA that has ended too."""
    identity, key, certificate = SystemIdentity(FEDERATION, "hk", name), folder / f"{name}.key", folder / f"{name}.pem"
    made = datetime.now(UTC) - timedelta(days=9 if expired else 0)
    if expired:
        authority = create_ca(node="hk", federation=FEDERATION, key_path=folder / "ca.key", now=made, days=8)
    else:
        authority = load_ca(nodes["hk"].folder.ca.read_bytes(), nodes.folder.ca_key("hk"))
    request = create_request(identity, key_path=key)
    certificate.write_bytes(authority.issue(request, identity=identity, now=made, days=3))
    return "--cert", str(certificate), "--key", str(key)


def fails(nodes: Federation, *words: object) -> tuple[str, str]:
    """What an officer of hk is told."""
    common = ("--config", nodes["hk"].config)
    as_officer = () if "--cert" in words else ("--system", "officer")
    result = CliRunner(env={"COLUMNS": "80"}).invoke(app, [str(word) for word in (*words, *common, *as_officer)])
    assert result.exit_code in (1, 2), result.output
    assert not RAW.search(result.stderr), result.stderr
    error, way_out = told(result)
    assert way_out != ConfigurationError.way_out
    return error, way_out


def test_another_authoritys_port(nodes: Federation) -> None:
    error, way_out = fails(nodes, "alert", "list", "--address", f"127.0.0.1:{nodes['cn'].local_port}")
    assert error == f"127.0.0.1:{nodes['cn'].local_port} answers as cn, your certificate is hk's"
    assert way_out == "Give the address of hk's gateway, or a certificate that cn issued."


def test_another_authoritys_certificate(nodes: Federation) -> None:
    folder = nodes["cn"].folder
    words = ("--cert", folder.system_certificate("officer"), "--key", folder.system_key("officer"))
    error, way_out = fails(nodes, "alert", "list", *words)
    assert error == f"127.0.0.1:{nodes['hk'].local_port} answers as hk, your certificate is cn's"
    assert "a certificate that hk issued" in way_out


def test_the_partners_port(nodes: Federation) -> None:
    error, way_out = fails(nodes, "alert", "list", "--address", f"127.0.0.1:{nodes['hk'].peer_port}")
    assert error == f"127.0.0.1:{nodes['hk'].peer_port} is hk's port for partners' gateways; systems have another"
    assert way_out == f"Give its local port: 127.0.0.1:{nodes['hk'].local_port}."


def test_another_ca(nodes: Federation) -> None:
    error, way_out = fails(nodes, "alert", "list", "--ca", nodes["cn"].folder.ca)
    assert "says that it is hk, but" in error
    assert "didn't issue its certificate" in error
    assert way_out == "Give hk's present ca.pem with --ca (GATEWAY_CA)."


def test_a_port_without_tls(nodes: Federation) -> None:
    with listener(plain) as port:
        error, way_out = fails(nodes, "alert", "list", "--address", f"127.0.0.1:{port}")
    assert error == f"127.0.0.1:{port} answers, but not in TLS: it isn't a gateway's port"
    assert f"127.0.0.1:{nodes['hk'].local_port}" in way_out


def test_a_port_with_older_tls(nodes: Federation) -> None:
    folder = nodes["hk"].folder
    answer = foreign_tls(folder.certificate, folder.key, ssl.TLSVersion.TLSv1_2)
    with listener(answer) as port:
        error, _ = fails(nodes, "alert", "list", "--address", f"127.0.0.1:{port}")
    assert "speaks an older TLS than 1.3" in error


def test_a_server_that_is_no_gateway(nodes: Federation) -> None:
    folder = nodes["hk"].folder
    answer = foreign_tls(folder.system_certificate("officer"), folder.system_key("officer"), ssl.TLSVersion.TLSv1_3)
    with listener(answer) as port:
        error, _ = fails(nodes, "alert", "list", "--address", f"127.0.0.1:{port}")
    assert f"answers as spiffe://{FEDERATION}/system/hk/officer" in error


def test_a_watch_is_told_it_too(nodes: Federation) -> None:
    words = ("alert", "list", "--address", f"127.0.0.1:{nodes['cn'].local_port}", "--json")
    result = CliRunner().invoke(app, [*words, "--config", str(nodes["hk"].config), "--system", "officer"])
    assert "answers as cn" in json.loads(result.stderr)["error"]["message"]


def test_an_expired_certificate(nodes: Federation, tmp_path: Path) -> None:
    options = issued(nodes, tmp_path, name="late", expired=True)
    error, way_out = fails(nodes, "alert", "list", *options)
    assert "late.pem: valid from" in error
    assert "gateway pki" in way_out


def test_a_system_without_roles(nodes: Federation, tmp_path: Path) -> None:
    error, way_out = fails(nodes, "alert", "list", *issued(nodes, tmp_path, name="stranger"))
    assert "stranger.pem, the certificate of spiffe://" in error
    assert "[systems]" in way_out


MISTAKES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "unknown field of a filter": (
        ("alert", "list", "--filter", "statos = published"),
        "there is no field 'statos'; did you mean 'status'?",
        "Correct",
    ),
    "unknown value of a filter": (
        ("alert", "list", "--filter", "status = publshed"),
        "did you mean 'published'?",
        "Correct",
    ),
    "filter that isn't one": (("alert", "list", "--filter", "published"), "expected `field = value`", "Correct"),
    "unknown alert": (("alert", "show", f"cn/{ID}"), f"there is no alert cn/{ID} here", "identifier"),
    "beginning of nothing": (("alert", "show", "cn/0000"), "an id that begins like this", "identifier"),
    "no alert's name": (("alert", "show", "CASE-1"), "'CASE-1' doesn't name an alert", "gateway alert list"),
    "own alerts alone": (("alert", "withdraw", f"cn/{ID}", "--reason", "x"), "only its publisher can", "alert ack"),
    "wrong role": (("link", "list"), "this method needs one of the roles", "operator"),
    "unknown record": (("history", "show", "NOPE-1"), "NOPE-1", "identifier"),
    "unknown match": (("watchlist", "dismiss", ID, "--reason", "x"), "no match", "identifier"),
    "unknown entry": (("watchlist", "show", "cn/minerals/NOPE"), "no entry cn/minerals/NOPE", "identifier"),
    "no hit": (
        ("watchlist", "report", "hk/minerals/NOPE", "Somebody", "--purpose", "export_control"),
        "no hit on hk/minerals/NOPE",
        "",
    ),
    "unknown node": (
        ("history", "search", "--container", "CSQU3054383", "--node", "sg", "--purpose", "export_control",
         "--legal-basis", "Art. 5", "--case", "C-1"),
        "sg",
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_what_the_gateway_refuses_is_told_with_what_helps(nodes: Federation, name: str) -> None:
    words, message, step = MISTAKES[name]
    error, way_out = fails(nodes, *words)
    assert message in error
    assert step in way_out
