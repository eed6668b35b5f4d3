"""Memory of a node and its workers with a long list and many shipments, told per process.

A node has a list and records of shipments, screens names and searches a reference, so that its workers hold what they
need for both; then it is measured. It starts again with every capability on and a console beside it, and is measured
once more. Figures are proportional set sizes (PSS): a page that processes share counts once in all.

    python -m bench.memory [--entries 1000000] [--shipments 1000000] [--dir FOLDER] [--json FILE]

A million of each takes most of an hour.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated

import psutil
import typer

from bench import list_names
from bench.history_searches import search
from bench.lists import import_rows, rows_of, screening_ready, stub_of
from bench.nodes import PUBLISHER, RECIPIENT, ROLES, SYSTEM, NodeProcess, free_port, write_federation
from bench.results import Figures, show, write
from gateway.cli.trial.consoles import CONSOLE_FILE, ConsolePlace, capability_tables, write_console
from gateway.rpc.workers import worker_main
from gateway.v1.screening_pb2 import ScreeningSubject, ScreenPartiesRequest

NODE, CONSOLE, ALL, ALL_ON = "node", "console", "node and workers", ", all capabilities on"

QUERIES = 200
"""Names that are screened before it is measured: the index reads what queries need."""

SETTLED_S = 3_600.0
"""How long indexing may take, in seconds."""

LOOK_S = 10.0
"""Seconds between two looks at the memory."""

LEVEL_MB = 1.0
"""Change between two looks below which memory counts as level."""


def memory_of(pid: int) -> dict[str, float]:
    """PSS in MB (10⁶ bytes) of a process and of each of its workers, by the worker's name."""
    process = psutil.Process(pid)
    taken = {NODE: _pss_mb(process)}
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            taken[_name(child)] = taken.get(_name(child), 0.0) + _pss_mb(child)
    return taken


def _pss_mb(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss) / 1e6


def _name(process: psutil.Process) -> str:
    command = process.cmdline()
    return command[command.index(worker_main.__name__) + 1] if worker_main.__name__ in command else process.name()


async def level(pid: int) -> dict[str, float]:
    """The memory when it no longer changes: indexes are read and made in the background."""
    before = memory_of(pid)
    async with asyncio.timeout(SETTLED_S):
        while True:
            await asyncio.sleep(LOOK_S)
            now = memory_of(pid)
            if now.keys() == before.keys() and abs(sum(now.values()) - sum(before.values())) < LEVEL_MB:
                return now
            before = now


async def fill(node: NodeProcess, entries: int, shipments: int) -> None:
    """Records shipments at the stopped node, then starts it and imports the list."""
    command = [sys.executable, "-m", "bench.history_fill", node.url, str(node.folder.log_key), node.name]
    await asyncio.to_thread(subprocess.run, [*command, str(shipments)], check=True)
    await node.start()
    client = node.client()
    await import_rows(stub_of(client), rows_of(entries))
    await client.close()


async def use(node: NodeProcess) -> dict[str, float]:
    """Screens names and searches a reference, so that every worker has read its index; the memory afterwards."""
    client, rng = node.client(), random.Random(5)
    async with asyncio.timeout(SETTLED_S):
        while (status := await client.node.status()).projected_position < status.position:  # noqa: ASYNC110
            await asyncio.sleep(1)  # the state is another process's
    stub = stub_of(client)
    async with asyncio.timeout(SETTLED_S):
        await screening_ready(stub)
    for _ in range(QUERIES):
        subject = ScreeningSubject()
        subject.names.add(text=list_names.query_name(rng)[0])
        await stub.ScreenParties(ScreenPartiesRequest(subjects=[subject]))
    await search(client, 7, [node.name])
    await client.close()
    return await level(node.pid)


@asynccontextmanager
async def console_of(node: NodeProcess, place: ConsolePlace) -> AsyncIterator[int]:
    """A console beside a node; the id of its process."""
    write_console(node.folder.path, place, gateway=f"127.0.0.1:{node.local_port}", zone="Asia/Shanghai")
    config = node.folder.path / CONSOLE_FILE
    command = [sys.executable, "-m", "gateway.cli.main", "console", "--config", str(config)]
    with (node.folder.path / "console.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220  1 ms
    try:
        host, _, port = place.bind.rpartition(":")
        async with asyncio.timeout(120):
            await _listening(process, host, int(port))
        yield process.pid
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def _listening(process: subprocess.Popen[bytes], host: str, port: int) -> None:
    while True:
        if process.poll() is not None:
            raise SystemExit("the console ended at its start; see console.log beside the node's settings")
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        await asyncio.sleep(0.1)


async def measure(root: Path, entries: int, shipments: int) -> Figures:
    """MB: plain, then with every capability and a console."""
    figures = Figures()
    ports = {name: (free_port(), free_port()) for name in (PUBLISHER, RECIPIENT)}
    systems = {SYSTEM: ROLES, CONSOLE: (CONSOLE,)}
    federation = write_federation(root, ports, systems=systems)
    node = NodeProcess(PUBLISHER, federation.node(PUBLISHER), ports[PUBLISHER][1])
    try:
        await fill(node, entries, shipments)
        await node.stop()  # what filling needed isn't counted
        await node.start()
        _note(figures, await use(node), "")
        await node.stop()
        port = free_port()
        place = ConsolePlace(f"127.0.0.1:{port}", f"http://localhost:{port}")
        with node.settings.open("a", encoding="utf-8") as settings:
            settings.write(capability_tables(place))
        await node.start()
        async with console_of(node, place) as pid:
            _note(figures, await use(node), ALL_ON)
            figures.note(f"memory: console{ALL_ON}", "MB", sum((await level(pid)).values()))
        return figures
    finally:
        await node.stop()


def _note(figures: Figures, memory: dict[str, float], variant: str) -> None:
    for name, mb in {**memory, ALL: sum(memory.values())}.items():
        figures.note(f"memory: {name}{variant}", "MB", mb)


def main(
    entries: Annotated[int, typer.Option(min=1, help="Entries of the list.")] = 1_000_000,
    shipments: Annotated[int, typer.Option(min=10, help="Recorded shipments.")] = 1_000_000,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the database goes.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures, for bench.charts.")] = None,
) -> None:
    """Measure the memory of a node, its workers and its console."""
    place = Path(tempfile.mkdtemp(prefix="gateway-memory-", dir=folder))
    figures = asyncio.run(measure(place, entries, shipments))
    shutil.rmtree(place)
    command = f"python -m bench.memory --entries {entries} --shipments {shipments}"
    show(figures, "Memory by process")
    write(json_file, figures, command=command)


if __name__ == "__main__":
    typer.run(main)
