"""Records through which files one alert goes, from PublishAlert at one node to WatchAlerts at another.

Both nodes run in this process with real TLS and SQLite. A profiler notes each file of the package that a thread enters
for the first time between the call and the watcher's change, and counts the calls in each. Files that an idle window of
the same nodes enters too (heartbeats, housekeeping) are named apart; what they do in between is counted along.

    python -m bench.alert_path
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from bench.alerts import contents
from bench.nodes import PUBLISHER, RECIPIENT, NodeProcess, free_port, write_federation
from gateway import __file__ as package_file
from gateway.node.assembly.node import Node
from gateway.node.settings import load_settings

PACKAGE = Path(package_file).parent
IDLE_S = 5.0
"""Longer than any period of housekeeping."""


@contextmanager
def entered_files() -> Iterator[tuple[dict[str, str], Counter[str]]]:
    """Files of the package in the order in which they are entered, with the function entered first, and their calls."""
    files: dict[str, str] = {}
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(str(PACKAGE)) and "/v1/" not in path and "/client/" not in path:
            name = path[len(str(PACKAGE)) + 1 :]
            files.setdefault(name, frame.f_code.co_qualname)
            calls[name] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield files, calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


async def run(folder: Path) -> None:
    """Publish one alert, watch it arrive, print the files."""
    ports = {name: (free_port(), free_port()) for name in (PUBLISHER, RECIPIENT)}
    federation = write_federation(folder, ports)
    published = contents()[:2]
    with entered_files() as (files, calls):  # before the nodes start: a profiler reaches only threads that start later
        nodes = [Node(load_settings(federation.node(name).path / "gateway.toml")) for name in ports]
        for node in nodes:
            await node.start()
        clients = {name: NodeProcess(name, federation.node(name), local).client() for name, (_, local) in ports.items()}
        try:
            watch = clients[RECIPIENT].watch()
            await clients[PUBLISHER].publish(published[0], [RECIPIENT])
            await anext(watch)
            await asyncio.sleep(IDLE_S)
            files.clear()
            await asyncio.sleep(IDLE_S)
            idle = set(files)
            files.clear()
            calls.clear()
            await clients[PUBLISHER].publish(published[1], [RECIPIENT])
            async for _ in watch:
                break
            way, counted = dict(files), calls.copy()
        finally:
            await asyncio.gather(*(client.close() for client in clients.values()))
            await asyncio.gather(*(node.stop() for node in nodes))
    print(f"{len(way)} files, {len(way.keys() & idle)} of them also entered while idle; {counted.total()} calls")
    for number, (name, function) in enumerate(way.items(), 1):
        print(f"{number:3}  {name:44} {counted[name]:4}  {function}{'  (idle too)' if name in idle else ''}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(run(Path(root)))
