"""Runs docker-compose.yml for real with podman-compose and checks what an operator expects of it; `make containers`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from gateway.cli.trial.samples import ALERT, write_samples

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "customs-check"
PYTHON = "docker.io/library/python:3.13-slim"
PROMETHEUS = "docker.io/prom/prometheus:v3.7.3"
PROMETHEUS_PORT = 19_090
WITHIN_S = 180.0
"""Seconds within which each expectation must hold; databases are made and images are slow on a small machine."""


RESTART_S = 30.0
"""Seconds that the engine has to start a killed container again."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_samples(Path(folder), datetime.now(UTC))
        alert = (Path(folder) / ALERT).read_text("utf-8")
    build()
    with running():
        crosses(alert, "an alert crosses two borders", ["hk", "mo"])
        kill("hk")
        crosses(alert, "an alert reaches the gateway that was killed", ["hk"])
        run("podman", "network", "disconnect", f"{PROJECT}_partners", container("mo"))
        number = publish(alert, ["mo"])
        time.sleep(5)
        expect("a cut network keeps an alert back", number not in received("mo"))
        run("podman", "network", "connect", "--alias", "mo", f"{PROJECT}_partners", container("mo"))
        eventually("a network that is joined again brings it", lambda: number in received("mo"))
        eventually("Prometheus scrapes all three gateways", lambda: targets_up() == 3)
        eventually("it evaluates the rules", lambda: bool(asked("rules")["groups"]))
    print("All expectations held.")


def build() -> None:
    """Images of this clone, and a Prometheus where there is none."""
    for target, name in (("gateway", "customs-gateway"), ("federation", "customs-gateway-federation")):
        image = f"localhost/{name}"
        options = ("--network", "host", "--target", target, "--build-arg", f"PYTHON_IMAGE={PYTHON}", "--tag", image)
        run("podman", "build", "--quiet", *options, ".")
    if subprocess.run(["podman", "image", "exists", PROMETHEUS], check=False).returncode:
        file = ROOT / "tests/containers/prometheus.Dockerfile"
        run("podman", "build", "--quiet", "--network", "host", "--file", str(file), "--tag", PROMETHEUS, ".")


@contextmanager
def running() -> Iterator[None]:
    """The services, until the block ends; then nothing is left of them."""
    ended = Event()
    checking = Thread(target=_check_health, args=[ended])
    checking.start()
    try:
        compose("--profile", "monitoring", "up", "--detach", "cn", "hk", "mo", "prometheus")
        yield
    finally:
        ended.set()
        checking.join()
        compose("--profile", "monitoring", "down", "--volumes", "--timeout", "5")


def _check_health(ended: Event) -> None:
    """Runs the health checks, which podman leaves to systemd."""
    while not ended.wait(1.0):
        for name in output("podman", "ps", "--quiet", "--filter", f"name={PROJECT}_").split():
            subprocess.run(["podman", "healthcheck", "run", name], capture_output=True, check=False)


def crosses(alert: str, what: str, to: Sequence[str]) -> None:
    number = publish(alert, to)
    eventually(what, lambda: all(number in received(node) for node in to))


def kill(node: str) -> None:
    """kill -9 from outside: `podman kill` would count as a wish that it stays stopped.

    Podman with runc sometimes fails to start it again, "container is running" (seen with cgroups v1, when the workers
    end after the node); then it is started by hand, and that is said.
    """
    killed = inspected(node, "Pid")
    os.kill(int(killed), signal.SIGKILL)
    deadline = time.monotonic() + RESTART_S
    while inspected(node, "Pid") in ("0", killed) and time.monotonic() < deadline:
        time.sleep(1)
    by = "by its restart policy"
    if inspected(node, "Pid") in ("0", killed):
        by = f"by hand, since the engine didn't: {inspected(node, 'Error')}"
        run("podman", "start", container(node))
    eventually(f"a killed container comes back, {by}", lambda: inspected(node, "Pid") not in ("0", killed))


def publish(alert: str, to: Sequence[str]) -> str:
    """Publishes an alert at cn under a request id of its own; returns its id."""
    content = {**json.loads(alert), "case_reference": f"CN-{time.time_ns()}"}
    options = ("publish", "-", "--format", "json", "--to", ",".join(to), "--system", "risk-engine", "--json")
    printed = json.loads(gateway("cn", "alert", *options, given=json.dumps(content)))
    return str(printed["alert_id"])


def received(node: str) -> set[str]:
    """Ids of the alerts that a node lists; empty while it doesn't answer."""
    try:
        listed = json.loads(gateway(node, "alert", "list", "--system", "officers", "--json"))
    except subprocess.CalledProcessError:
        return set()
    return {summary["alert"]["id"] for summary in listed}


def gateway(node: str, *arguments: str, given: str = "") -> str:
    command = ("podman", "exec", "--interactive", container(node), "gateway", *arguments)
    return subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout


def targets_up() -> int:
    return sum(target["health"] == "up" for target in asked("targets")["activeTargets"])


def asked(path: str) -> Any:
    """What Prometheus answers, without its envelope."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PROMETHEUS_PORT}/api/v1/{path}", timeout=10) as answer:
        return json.load(answer)["data"]


def inspected(node: str, what: str) -> str:
    """A part of a container's state, e.g. Pid, which is 0 while it doesn't run."""
    return output("podman", "inspect", "--format", f"{{{{.State.{what}}}}}", container(node)).strip()


def container(service: str) -> str:
    return f"{PROJECT}_{service}_1"


def eventually(what: str, holds: Callable[[], bool]) -> None:
    began = time.monotonic()
    while time.monotonic() < began + WITHIN_S:
        try:
            if holds():
                expect(f"{what} ({time.monotonic() - began:.0f} s)", True)
                return
        except OSError:
            pass
        time.sleep(1)
    expect(what, False)


def expect(what: str, held: bool) -> None:
    print(f"{'held' if held else 'NOT HELD'}: {what}", flush=True)
    if not held:
        for service in ("federation", "cn", "hk", "mo", "prometheus"):
            command = ("podman", "logs", "--tail", "20", container(service))
            logs = subprocess.run(command, capture_output=True, check=False)
            print(f"--- {service}\n{(logs.stdout + logs.stderr).decode('utf-8', 'replace')}")
        sys.exit(1)


def compose(*arguments: str) -> None:
    run("podman-compose", "--project-name", PROJECT, *arguments)


def run(*command: str) -> None:
    """Runs a command in the project's folder; prints what it said if it fails."""
    environment = {"PROMETHEUS_PORT": str(PROMETHEUS_PORT), "CN_PORT": "17444", "HK_PORT": "17454", "MO_PORT": "17464"}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    main()
