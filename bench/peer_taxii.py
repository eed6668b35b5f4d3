"""The peer medallion, a TAXII 2.1 server, in an environment of its own: `python -m bench.peer_taxii [--dir PATH]`.

Indicators are added to a collection in envelopes of 100 and polled in pages of 100, over loopback, as a partner would
take over a list. medallion keeps them in memory and serves plain HTTP with a password: no TLS, no signatures, nothing
durable. Figures are objects per second of processor time, of server and client together.
"""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

from bench.nodes import free_port
from bench.peer_environment import environment, run_from_command_line
from bench.results import Figures, show, write

REQUIREMENTS = ("medallion==3.0.0", "flask<2.3", "werkzeug<2.3", "setuptools<81")
"""Its newest release, of 2020, with the Flask of its time."""

OBJECTS, ENVELOPE = 500, 100
"""Few, since its time for a page grows with the square of the collection."""

ROUNDS = 3
START_S, ANSWER_S = 60.0, 300.0
USER, PASSWORD = "bench", "bench"
MEDIA = "application/taxii+json;version=2.1"
COLLECTION = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
PATH = f"/bench/collections/{COLLECTION}/objects/"


def indicators(count: int) -> list[dict[str, Any]]:
    """STIX 2.1 indicators with fresh ids, each about as long as an entry of a list."""
    stamp = "2026-11-27T00:00:00.000Z"
    return [
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": f"indicator--{uuid.uuid4()}",
            "created": stamp,
            "modified": stamp,
            "name": f"Trading company {number} of Shenzhen",
            "description": "Named in three cases of misdeclared precursors; examine and report.",
            "pattern": f"[x-party:registration = '9144030{number:011}']",
            "pattern_type": "stix",
            "valid_from": stamp,
        }
        for number in range(count)
    ]


class Client:
    """One connection to the server."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
        password = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self._headers = {"Authorization": f"Basic {password}", "Accept": MEDIA, "Content-Type": MEDIA}

    def add(self, objects: list[dict[str, Any]]) -> None:
        for at in range(0, len(objects), ENVELOPE):
            self._ask("POST", PATH, json.dumps({"objects": objects[at : at + ENVELOPE]}))

    def poll(self) -> int:
        """Reads the whole collection; returns how many objects came."""
        count, following = 0, ""
        while True:
            page = self._ask("GET", f"{PATH}?limit={ENVELOPE}{following}")
            count += len(page.get("objects", ()))
            if not page.get("more"):
                return count
            following = f"&next={page['next']}"

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.status in (200, 202), (response.status, content)
        answer: dict[str, Any] = json.loads(content)
        return answer


def _data() -> dict[str, Any]:
    """One API root with one empty collection, in the form that the server's memory begins with."""
    root = {"title": "bench", "description": "", "versions": [MEDIA], "max_content_length": 100_000_000}
    collection = {"id": COLLECTION, "title": "list", "can_read": True, "can_write": True, "media_types": [MEDIA]}
    return {
        "/discovery": {"title": "bench", "api_roots": ["http://127.0.0.1/bench/"]},
        "bench": {"information": root, "status": [], "collections": [{**collection, "objects": [], "manifest": []}]},
    }


@contextmanager
def running(python: Path, folder: Path) -> Iterator[tuple[psutil.Process, Client]]:
    """A server with an empty collection, and a client of it; ended afterwards."""
    data, settings, port = folder / "data.json", folder / "settings.json", free_port()
    data.write_text(json.dumps(_data()), encoding="utf-8")
    backend = {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": str(data)}
    settings.write_text(
        json.dumps({"backend": backend, "users": {USER: PASSWORD}, "taxii": {"max_page_size": ENVELOPE}}),
        encoding="utf-8",
    )
    command = [str(python), "-m", "medallion.scripts.run", "--host", "127.0.0.1", "--port", str(port), str(settings)]
    with (folder / "medallion.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _listening(process, port, folder / "medallion.log")
        yield psutil.Process(process.pid), Client(port)
    finally:
        process.terminate()
        process.wait()


def _listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            HTTPConnection("127.0.0.1", port, timeout=1).connect()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"medallion doesn't listen: {log.read_text(encoding='utf-8', errors='replace')[-500:]}")


def _used(server: psutil.Process) -> float:
    """Processor time of server and client so far, in seconds."""
    times = server.cpu_times()
    return float(times.user + times.system) + time.process_time()


def run(folder: Path, json_file: Path | None) -> None:
    python, figures = environment(folder / "environment", REQUIREMENTS), Figures()
    for _ in range(ROUNDS):
        with running(python, folder) as (server, client):
            objects = indicators(OBJECTS)
            began = _used(server)
            client.add(objects)
            between = _used(server)
            count = client.poll()
            ended = _used(server)
        assert count == OBJECTS, count
        figures.note("taxii: added", "/s", OBJECTS / (between - began))
        figures.note("taxii: polled", "/s", OBJECTS / (ended - between))
    show(figures, "Objects a second of processor time")
    write(json_file, figures, command="python -m bench.peer_taxii")


if __name__ == "__main__":
    run_from_command_line("Objects per second of medallion, a TAXII server.", run)
