"""Mistakes that show only when a command connects: what answers is told, and the step that helps.

The others are in tests/unit/cli/test_mistakes.py.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.client import GatewayClient, new_alert
from gateway.client.diagnosis import Attempt, NoAnswerError, WrongGatewayError, diagnose
from gateway.contract.ids import SystemIdentity
from gateway.errors import ConfigurationError, GatewayError, UnavailableError
from gateway.trust.pki.issuance import create_ca, create_request, load_ca
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.federation import Federation, alert, with_logs
from tests.support.forked_commands import forked_commands
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


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """hk's gateway, whose certificates began weeks ago."""
    with Federation(tmp_path_factory.mktemp("earlier"), now=datetime.now(UTC) - timedelta(days=20)) as made:
        made.start("hk")
        yield made


@pytest.mark.parametrize("ahead_days", [-8, 8])
def test_clocks_that_differ_are_no_other_port(earlier: Federation, tmp_path: Path, ahead_days: int) -> None:
    """A certificate that is valid by the caller's clock and not by the gateway's."""
    nodes = earlier
    folder, then = nodes["hk"].folder, datetime.now(UTC) + timedelta(days=ahead_days)
    identity, key, certificate = SystemIdentity(FEDERATION, "hk", "officer"), tmp_path / "key", tmp_path / "officer.pem"
    authority = load_ca(folder.ca.read_bytes(), nodes.folder.ca_key("hk"))
    request = create_request(identity, key_path=key)
    certificate.write_bytes(authority.issue(request, identity=identity, now=then - timedelta(days=1), days=3))
    address = f"127.0.0.1:{nodes['hk'].local_port}"
    for local_address in (address, ""):
        attempt = Attempt(
            address=address, ca=folder.ca, certificate=certificate, key=key, identity=identity,
            local_address=local_address,
        )  # fmt: skip
        told = diagnose(attempt, now=then)
        assert "refuses" in told.message
        assert "officer.pem, which is valid from" in told.message
        assert "Compare the clock" in told.way_out
        assert ("port for partners' gateways" in told.way_out) == (not local_address)


def test_what_a_gateway_answers_is_told_and_not_that_it_ended_the_call(nodes: Federation) -> None:
    """UNAVAILABLE with the gateway's own words: its partner mo, which doesn't run, can't be asked."""

    async def asked() -> GatewayError:
        async with nodes.client("hk", "operator") as operator:
            with pytest.raises(UnavailableError) as raised:
                await operator.node.recover_feed(f"{FEDERATION}/hk/mo/alerts")
            return raised.value

    error = asyncio.run(asked())
    assert type(error) is not NoAnswerError
    assert "mo" in error.message
    assert "answers now" not in error.message


WATCHES = {
    "alerts": ("alert", "watch"),
    "lists": ("watchlist", "watch"),
    "matches": ("watchlist", "matches", "--watch"),
    "notifications": ("notification", "watch"),
}


def command(nodes: Federation, *words: object) -> list[str]:
    program = forked_commands() / "gateway"
    return [str(program), *map(str, words), "--config", str(nodes["hk"].config), "--system", "officer"]


@pytest.mark.parametrize("name", WATCHES)
def test_a_watch_at_a_wrong_gateway_ends_and_says_why_once(nodes: Federation, name: str) -> None:
    """It would repeat what no waiting mends: another authority's gateway, and a port for partners."""
    for port in (nodes["cn"].local_port, nodes["hk"].peer_port):
        words = command(nodes, *WATCHES[name], "--address", f"127.0.0.1:{port}")
        ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 1, ended.stderr
        said = " ".join(ended.stderr.split())
        assert said.count("Interrupted") == (name != "notifications")  # these begin with a call
        assert "Error: " in said
        assert "answers as cn" in said or "port for partners' gateways" in said


def test_a_stream_of_alerts_to_a_wrong_gateway_ends(nodes: Federation) -> None:
    async def run() -> None:
        folder = nodes["hk"].folder
        async with GatewayClient.connect(
            f"127.0.0.1:{nodes['cn'].local_port}",
            ca=folder.ca,
            certificate=folder.system_certificate("publisher"),
            key=folder.system_key("publisher"),
        ) as client:
            outcomes = client.publish_many(new_alert(alert(), ["cn"]) for _ in range(3))
            with pytest.raises(WrongGatewayError, match="answers as cn"):
                async for _outcome in outcomes:
                    pass

    asyncio.run(asyncio.wait_for(run(), 30))


def test_a_watch_that_waits_for_its_gateway_says_so_once_and_that_it_goes_on(tmp_path: Path) -> None:
    """Against nobody, for as long as several attempts take, and then with a gateway that has nothing to say."""
    with Federation(tmp_path) as made:
        words = command(made, "alert", "watch")
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1) as watch:
            lines: list[str] = []
            reader = threading.Thread(target=lambda: lines.extend(watch.stderr or ()))
            reader.start()
            try:
                _until(lambda: bool(lines))
                with Attempts(made["hk"].local_port) as attempts:
                    _until(lambda: attempts.count >= 6)
                assert len(lines) == 1, lines
                assert "nobody listens" in " ".join(lines)
                made.start("hk")
                _until(lambda: len(lines) > 1)
            finally:
                watch.send_signal(signal.SIGINT)
                watch.wait(30)
                reader.join(30)
        text = " ".join(" ".join(lines).split())
        assert text.count("Interrupted") == 1
        assert text.count("It goes on.") == 1


class Attempts:
    """Counts connections to a port that nobody else serves, and ends them."""

    def __init__(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._count)
        self.count = 0

    def __enter__(self) -> Attempts:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            connection.close()
            self.count += 1


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)
