"""`make demo` as a stranger runs it: it ends by itself, says what it measured, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from rich.console import Console

from demo import __main__ as program
from demo import stage
from demo.__main__ import EXIT_NOT_AS_EXPECTED, EXIT_OK
from demo.facts import Facts
from demo.play import Play
from demo.scenes.crash import killed
from demo.screen import Screen
from demo.stage import NODES, free_ports, set_stage
from demo.summary import Check
from gateway.client.windowed import DEFAULT_PATIENCE_S
from gateway.errors import UnavailableError
from tests.support.console.visitor import Visitor
from tests.support.forked_commands import forked_commands

REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 600.0
PROGRAM = ("-m", "demo")
BEGINNING = ("-c", "import demo.__main__ as demo; demo.SCENES = demo.SCENES[:2]; demo.main()")
"""The demo that leaves out what comes after the scripted case: for what is the same after any number of scenes."""


@contextmanager
def demo(
    folder: Path, *arguments: str, shared: Path | None = None, program: tuple[str, ...] = PROGRAM
) -> Iterator[subprocess.Popen[str]]:
    """Runs the demo with its output in `<folder>.txt`; whatever happens, it and its gateways are ended by their id."""
    environment = dict(os.environ)
    if shared is not None:
        environment["GATEWAY_SHARED"] = str(shared)
    with output(folder).open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [forked_commands() / "python", *program, "--dir", str(folder), *arguments],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment,
            text=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for left in running_in(folder):
            left.kill()


def output(folder: Path) -> Path:
    return folder.with_suffix(".txt")


def said_in(folder: Path) -> str:
    return output(folder).read_text(encoding="utf-8")


def running_in(folder: Path) -> list[psutil.Process]:
    """Processes that name the folder in their command."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if process.pid != os.getpid() and any(word.startswith(f"{folder}/") for word in words):
            found.append(process)
    return found


def wait_for(folder: Path, process: subprocess.Popen[str], text: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while text not in said_in(folder):
        assert process.poll() is None, said_in(folder)
        assert time.monotonic() < deadline, said_in(folder)
        time.sleep(0.1)


def measured(said: str, what: str) -> list[str]:
    """Expected and measured value of a line of the summary."""
    line = next((line for line in said.splitlines() if what in line and line[:1] in "✓✗"), None)
    assert line is not None, said
    return re.split(r"\s{2,}", line.partition(what)[2].strip())


@pytest.mark.slow
def test_it_plays_everything_and_ends_by_itself(tmp_path: Path) -> None:
    folder, nothing = tmp_path / "run", tmp_path / "nothing"
    with demo(folder, shared=nothing) as process:
        code = process.wait(PATIENCE_S)
        said = said_in(folder)
        assert code == 0, said
        assert running_in(folder) == []
    assert "made-up sample" in said
    assert "line 13: column 'HS6 Code'" in said
    # The case, the sample to two partners, one meanwhile, outage, crash, a listed consignee
    alerts = str(2 + 2 * 10 + 1 + 200 + 150 + 1)
    assert measured(said, "shown to the partner's officers, each once") == [alerts, alerts]
    steps = 2 + 1 + 1 + 2 + 2  # acknowledged, asked, answered, found, closed
    told = str(int(alerts) + steps)
    assert measured(said, "applied by the partner's gateway (signed disposition)") == [told, told]
    assert measured(said, "acknowledged by an officer, and arrived") == ["2", "2"]
    # From each node to each other alerts of priority A, and of others between cn and its partners
    assert measured(said, "feeds with the same size and root on both sides") == ["10", "10"]
    assert measured(said, "published through kill -9 and restart") == ["150", "150"]
    assert measured(said, "evidence verified offline, steps passed") == ["11", "11"]
    assert measured(said, "listed at hk before a second person approved") == ["0", "0"]
    assert measured(said, "listed at hk afterwards") == ["12", "12"]
    assert measured(said, "copies compared by root") == ["identical", "identical"]
    assert measured(said, "hits that cn knew before an officer at hk confirmed") == ["0", "0"]
    assert measured(said, "and afterwards") == ["1", "1"]
    assert measured(said, "gateways stopped in order with exit code 0") == ["3", "3"]
    assert re.search(r"All \d+ expectations hold", said)
    assert "✗" not in said


@pytest.mark.slow
def test_kept_running_it_answers_the_commands_that_it_prints_and_stops_at_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with demo(folder, "--keep", shared=tmp_path, program=BEGINNING) as process:
        wait_for(folder, process, "gateway evidence verify /")
        told = said_in(folder).partition("Left running")[2].splitlines()[1:]
        assert sum(line.startswith("gateway ") for line in told) >= 7, told
        ran = subprocess.run(
            ["bash", "-euc", "\n".join(told)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "No alarms." in ran.stdout
        for node in NODES:
            assert_signs_in(node, said_in(folder))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == EXIT_NOT_AS_EXPECTED, said_in(folder)
        assert measured(said_in(folder), "watchlist") == ["synced", "not played"]  # which is why
        assert running_in(folder) == []


def assert_signs_in(node: str, said: str) -> None:
    """At the address and with the password that are printed, in a line that fits a terminal."""
    told = re.search(rf"^  {node}  (http://localhost:(\d+))  password  (\S+)$", said, re.MULTILINE)
    assert told, said
    assert len(told[0]) <= 80
    office = SimpleNamespace(host="localhost", port=int(told[2]), origin=told[1], cookie="")
    visitor = Visitor(office)  # type: ignore[arg-type]
    assert visitor.sign_in("officer", told[3]).status == 303
    assert f"__Host-session-{node}" in visitor.cookies


@pytest.mark.parametrize(
    ("holds", "gateways_end_with", "code"),
    [(True, 0, EXIT_OK), (False, 0, EXIT_NOT_AS_EXPECTED), (True, 1, EXIT_NOT_AS_EXPECTED)],
)
def test_kept_running_its_exit_code_is_that_of_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holds: bool, gateways_end_with: int, code: int
) -> None:
    """Without gateways: that Ctrl-C of the real one ends with this code is shown above."""

    @asynccontextmanager
    async def stage(_root: Path) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(gateways={"cn": SimpleNamespace(exit_codes=[gateways_end_with])})

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(program, "set_stage", stage)
    monkeypatch.setattr(program, "_play", nothing)
    monkeypatch.setattr(program, "_keep", nothing)
    monkeypatch.setattr(program, "judge", lambda _: [Check("played", "yes", "yes", holds)])
    assert asyncio.run(program._run(tmp_path, keep=True)) == code


def test_ctrl_c_in_the_middle_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with demo(folder, shared=tmp_path) as process:
        wait_for(folder, process, "Keys, certificates")
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)  # an impatient one
        assert process.wait(30) == 130, said_in(folder)
        assert running_in(folder) == []


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work", encoding="utf-8")
    with demo(folder) as process:
        assert process.wait(PATIENCE_S) == 2, said_in(folder)
    assert "--dir" in said_in(folder)
    assert (folder / "thesis.txt").read_text(encoding="utf-8") == "years of work"


@pytest.mark.slow
def test_a_gateway_that_does_not_start_again_ends_the_scene_at_once_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "SERVE", (forked_commands() / "python", *stage.SERVE[1:]))

    async def play() -> float:
        async with set_stage(tmp_path / "run") as nodes:
            await nodes.start()
            nodes.gateways["cn"].folder.log_key.unlink()
            screen = Screen(Console(file=StringIO(), width=100), dict.fromkeys(NODES, ""))
            began = time.monotonic()
            with pytest.raises(ExceptionGroup) as raised:
                await killed(Play(nodes, screen, Facts()))
            took_s = time.monotonic() - began
            assert raised.group_contains(UnavailableError, match=r"(?s)cn ended at its start.*log\.pem")
            return took_s

    assert asyncio.run(play()) < DEFAULT_PATIENCE_S


def test_a_port_that_must_survive_a_restart_is_none_that_the_kernel_gives_out() -> None:
    ports = free_ports(8)
    assert len(set(ports)) == 8
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        assert max(ports) < given.getsockname()[1]
