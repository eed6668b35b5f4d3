"""`gateway trial`: three nodes by one command, which run until they are stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from demo.stage import free_ports
from gateway.cli.trial.federation import AUTHORITIES, PORT_STEP
from gateway.cli.trial.processes import TrialNode

PATIENCE_S = 120


def gateway(*arguments: object, code: int = 0) -> str:
    """Runs the command as a shell does; what it printed on stdout, or else on stderr."""
    command = [sys.executable, "-m", "gateway.cli.main", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "trial"
    yield made
    for name in AUTHORITIES:
        with suppress(OSError):
            TrialNode(made / name).stop()


def free_base() -> int:
    """A first port whose node's ports, and those of the others, are free."""
    wanted = [number * PORT_STEP + local for number in range(len(AUTHORITIES)) for local in (0, 1)]
    for base in free_ports(20):
        with suppress(OSError):
            for offset in wanted:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", base + offset))
            return base
    raise AssertionError("no free ports")


def test_one_command_makes_and_runs_three_nodes_and_another_stops_them(folder: Path) -> None:
    base = free_base()
    nodes = json.loads(gateway("trial", folder, "--port", base, "--json"))
    assert [(node["node"], node["for_own_systems"]) for node in nodes] == [
        (name, f"127.0.0.1:{base + 1 + PORT_STEP * number}") for number, name in enumerate(AUTHORITIES)
    ]
    cn, hk, mo = (TrialNode(folder / name) for name in AUTHORITIES)
    said = gateway("alert", "publish", folder / "alert.json", "--to", "hk", "--config", cn.config,
                   "--system", "risk-engine", "--json")  # fmt: skip
    watched = gateway("alert", "watch", "--count", 1, "--config", hk.config, "--system", "officers", "--json")
    assert json.loads(said)["alert_id"] in watched

    os.kill(int((mo.folder / "node.pid").read_text()), signal.SIGKILL)
    before = (cn.folder / "node.pid").read_text()
    gateway("trial", folder)
    assert (cn.folder / "node.pid").read_text() == before
    assert all(node.is_running() for node in (cn, hk, mo))

    assert json.loads(gateway("trial", folder, "--stop", "--json")) == {"stopped": ["cn", "hk", "mo"]}
    assert not any(node.is_running() for node in (cn, hk, mo))
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", base + PORT_STEP))
        other.listen()
        refused = " ".join(gateway("trial", folder, code=2).split())
    assert f"hk can't listen at 127.0.0.1:{base + PORT_STEP}" in refused
    assert "--port" in refused


def test_where_there_is_no_trial_nothing_is_stopped(folder: Path) -> None:
    assert "gateway trial" in gateway("trial", folder, "--stop", code=2)
    assert not folder.exists()
