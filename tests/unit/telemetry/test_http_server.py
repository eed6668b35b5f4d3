"""The port for metrics and health: what it serves, and that a stranger can't make it serve less."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from gateway.errors import ConfigurationError
from gateway.node.settings import Settings
from gateway.telemetry import http_server
from gateway.telemetry.http_server import MetricsServer, parse_bind
from gateway.telemetry.metrics import Metrics

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


def test_silent_connections_keep_nobody_out_for_long(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server._Handler, "timeout", 1.0)
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(http_server.MAX_CONNECTIONS)]
    try:
        before = threading.active_count()
        refused = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        for connection in refused:
            with connection:
                assert connection.recv(1) == b""
        assert threading.active_count() <= before + http_server.MAX_CONNECTIONS
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if get(server, "/livez")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the silent connections still hold all places")
    finally:
        for connection in silent:
            connection.close()


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
