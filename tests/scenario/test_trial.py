"""`gateway trial`: three nodes by one command, which run until they are stopped."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.stage import free_ports
from gateway.cli.trial.consoles import CONSOLE_PORT_STEP
from gateway.cli.trial.federation import AUTHORITIES, PORT_STEP
from gateway.cli.trial.persons import ROLES
from gateway.cli.trial.processes import TrialConsole, TrialNode
from gateway.cli.trial.samples import write_samples
from tests.support.forked_commands import forked_commands

PATIENCE_S = 120


def gateway(*arguments: object, code: int = 0) -> str:
    """Runs the command as a shell does; what it printed on stdout, or else on stderr."""
    done = ran(*arguments)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def ran(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [forked_commands() / "gateway", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "trial"
    yield made
    for name in AUTHORITIES:
        with suppress(OSError):
            TrialConsole(made / name).stop()
            TrialNode(made / name).stop()


def free_base(*further: int) -> int:
    """A first port whose node's ports, and those of the others, are free; `further` ports above it too."""
    wanted = [number * PORT_STEP + local for number in range(len(AUTHORITIES)) for local in (0, 1, *further)]
    for base in free_ports(20):
        with suppress(OSError):
            for offset in wanted:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", base + offset))
            return base
    raise AssertionError("no free ports")


def test_one_command_makes_and_runs_three_nodes_and_another_stops_them(folder: Path) -> None:
    """The port may be another one until something has run."""
    first, base = free_base(), free_base()
    gateway("trial", folder, "--port", first, "--no-start")
    nodes = json.loads(gateway("trial", folder, "--port", base, "--json"))
    assert [(node["node"], node["for_partners"], node["for_own_systems"]) for node in nodes] == [
        (name, f"127.0.0.1:{base + PORT_STEP * number}", f"127.0.0.1:{base + 1 + PORT_STEP * number}")
        for number, name in enumerate(AUTHORITIES)
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
    gateway("trial", folder, "--port", base)  # the same again changes nothing
    assert (cn.folder / "node.pid").read_text() == before

    assert json.loads(gateway("trial", folder, "--stop", "--json")) == {"stopped": ["cn", "hk", "mo"]}
    assert json.loads(gateway("trial", folder, "--stop", "--json")) == {"stopped": []}
    refused = " ".join(gateway("trial", folder, "--port", first, code=2).split())
    assert f"have run, cn on port {base}" in refused
    with taken(base + PORT_STEP):
        refused = " ".join(gateway("trial", folder, code=2).split())
    assert f"hk can't listen at 127.0.0.1:{base + PORT_STEP}" in refused
    assert "--port" in refused


def taken(port: int) -> socket.socket:
    """A port that something else listens on."""
    other = socket.socket()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind(("127.0.0.1", port))
    other.listen()
    return other


def test_a_port_in_use_is_told_before_anything_is_made(folder: Path) -> None:
    base = free_base()
    with taken(base + PORT_STEP + 1):
        refused = " ".join(gateway("trial", folder, "--port", base, code=2).split())
    assert f"hk can't listen at 127.0.0.1:{base + PORT_STEP + 1}" in refused
    assert "name another port with --port" in refused
    assert not folder.exists()


def test_the_folder_is_nodes_unless_it_is_named(tmp_path: Path) -> None:
    ran("trial", "--no-start", cwd=tmp_path).check_returncode()
    assert [path.name for path in tmp_path.iterdir()] == ["nodes"]


def test_the_samples_tell_one_story(tmp_path: Path) -> None:
    """Antimony declared as lead: the goods of the alert are declared in the shipment as the alert says."""
    write_samples(tmp_path, datetime.now(UTC))
    alert = json.loads((tmp_path / "alert.json").read_text())
    with (tmp_path / "shipments.csv").open(newline="", encoding="utf-8") as file:
        (shipment,) = csv.DictReader(file)
    (goods,) = alert["goods"]
    assert shipment["hs_code"].startswith(goods["declared_codes"][0]["code"])
    assert "lead" in shipment["description"]
    assert float(shipment["net_mass_kg"]) == goods["net_mass_kg"]
    assert shipment["containers"] == alert["subject"]["equipment"][0]["id"]
    tonnes_a_m3 = float(shipment["net_mass_kg"]) / 1_000 / float(shipment["package_volume_m3"])
    assert tonnes_a_m3 < 0.3 * 11.34, "no lead is so light"


def test_where_there_is_no_trial_nothing_is_stopped(folder: Path) -> None:
    assert "gateway trial" in gateway("trial", folder, "--stop", code=2)
    assert not folder.exists()


def test_with_consoles_it_prints_a_link_for_each_person_once(folder: Path) -> None:
    base = free_base(1 + CONSOLE_PORT_STEP)
    said = ran("trial", folder, "--console", "--port", base).stderr
    links = re.findall(r"^ +(http://localhost:(\d+)/enrol/\S+)$", said, re.MULTILINE)
    ports = [base + 1 + CONSOLE_PORT_STEP + PORT_STEP * number for number in range(len(AUTHORITIES))]
    assert [int(port) for _, port in links] == [port for port in ports for _ in ROLES]
    link = links[0][0]
    with urllib.request.urlopen(link, timeout=PATIENCE_S) as page:  # noqa: S310  # it is http
        assert page.status == 200
        assert "password" in page.read().decode()

    stopped = json.loads(gateway("trial", folder, "--stop", "--json"))["stopped"]
    assert stopped == [*(f"the console of {name}" for name in AUTHORITIES), *AUTHORITIES]
    assert "enrol" not in gateway("trial", folder, "--console")
    assert "enrol" not in gateway("trial", folder)
    with urllib.request.urlopen(f"http://localhost:{ports[0]}/healthz", timeout=PATIENCE_S) as page:
        assert page.status == 200


def test_consoles_are_decided_when_the_trial_is_made(folder: Path) -> None:
    gateway("trial", folder, "--no-start")
    assert "another folder" in " ".join(gateway("trial", folder, "--console", "--no-start", code=2).split())
