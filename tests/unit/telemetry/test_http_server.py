"""The port for metrics and health: what it serves, and that a stranger can't make it serve less."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from pydantic import ValidationError

from gateway.errors import ConfigurationError
from gateway.node.settings import Settings
from gateway.telemetry import http_server
from gateway.telemetry.http_server import MetricsServer, parse_bind
from gateway.telemetry.metrics import Metrics
from tests.support.waiting import eventually

PROBLEMS = {"database": "", "disk": ""}


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    metrics = Metrics().with_process()
    metrics.link_lag.replace({("hk", "alerts", "out"): 7})
    made = MetricsServer("0", metrics.registry, live=lambda: {"event loop": ""}, ready=lambda: PROBLEMS)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        PROBLEMS["disk"] = ""


def get(server: MetricsServer, page: str, method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{page}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_pages(server: MetricsServer) -> None:
    status, text = get(server, "/metrics")
    assert status == 200
    assert 'gateway_link_lag_entries{channel="alerts",direction="out",partner="hk"} 7.0\n' in text
    assert "process_resident_memory_bytes" in text
    assert get(server, "/livez") == (200, "event loop: ok\n")
    assert get(server, "/readyz?x=1") == (200, "database: ok\ndisk: ok\n")
    PROBLEMS["disk"] = "/srv/secret/path is full"
    assert get(server, "/readyz") == (503, "database: ok\ndisk: failed\n"), "without the reason: it is in the alarms"
    assert get(server, "/")[0] == 404
    assert get(server, "/metrics", "POST")[0] == 501


@contextmanager
def strangers(server: MetricsServer, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """As many connections as there are places, each with these bytes."""
    with ExitStack() as stack:
        made = []
        for _ in range(http_server.MAX_CONNECTIONS):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            one.connect(("127.0.0.1", server.port))
            one.sendall(sent)
            made.append(one)
        yield made


def is_ended(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        return one.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET /livez HTTP/1.1\r\nX-Slow: a"])
def test_silent_connections_keep_nobody_out(server: MetricsServer, sent: bytes) -> None:
    before = threading.active_count()
    with strangers(server, sent) as silent:
        began = time.monotonic()
        for _ in range(3 * http_server.MAX_CONNECTIONS):
            assert get(server, "/livez")[0] == 200
        assert time.monotonic() - began < http_server.REQUEST_S
        assert is_ended(silent[0]), "the oldest made room"
        assert threading.active_count() <= before + http_server.MAX_CONNECTIONS


def test_a_request_that_comes_byte_by_byte_ends_in_time(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "REQUEST_S", 1.0)

    def go_on(one: socket.socket) -> bool:
        with suppress(OSError):
            one.sendall(b"a")
        return is_ended(one)

    with socket.create_connection(("127.0.0.1", server.port)) as one:
        one.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        eventually(lambda: go_on(one), within_s=30, every_s=0.1)


def test_who_takes_the_metrics_slowly_keeps_nobody_from_the_health() -> None:
    metrics = Metrics()
    metrics.link_lag.replace({(f"{number:060}", "alerts", "out"): 7 for number in range(60_000)})
    server = MetricsServer("0", metrics.registry, live=dict, ready=dict)
    server.start()
    try:
        with strangers(server, b"GET /metrics HTTP/1.1\r\n\r\n") as slow:
            eventually(lambda: sum(one.recv(64, socket.MSG_PEEK) != b"" for one in slow[-1:]) == 1, within_s=30)
            for _ in range(20):
                assert get(server, "/livez")[0] == 200
    finally:
        server.stop()


def test_a_port_alone_is_of_the_loopback_address() -> None:
    assert parse_bind("9464") == ("127.0.0.1", 9464)
    assert parse_bind("10.1.2.3:9464") == ("10.1.2.3", 9464)
    assert parse_bind("[::1]:9464") == ("::1", 9464)


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=f"can't serve metrics on {bind}: Address already in use"):
            MetricsServer(bind, Metrics().registry, live=dict, ready=dict)


@pytest.mark.parametrize("bind", ["localhost", "9464x", "127.0.0.1:70000", ":", "127.0.0.1:"])
def test_a_setting_that_is_no_port_is_refused(bind: str) -> None:
    with pytest.raises(ValidationError, match="metrics_bind"):
        Settings(node="cn", federation="f", data_dir=".", metrics_bind=bind)  # type: ignore[arg-type, call-arg]
