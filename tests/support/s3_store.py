"""A store with the S3 interface on this machine: a process of its own, behind a network that a test can cut."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.federation import free_port
from tests.support.node_processes import end
from tests.support.proxy import Network, Proxy

_WITHIN_S = 120.0


@dataclass(frozen=True)
class Credentials:
    """Of a user of the store."""

    access_key_id: str
    secret_access_key: str

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}


OWNER = Credentials("GATEWAYFILES", "a-secret-of-tests")
WRONG_SECRET = Credentials(OWNER.access_key_id, "another-secret")
UNKNOWN_USER = Credentials("NOBODY", "a-secret-of-tests")


@dataclass
class RunningStore:
    """`stop` ends all connections to the store and lets nobody in until `start`: what is stored outlives it."""

    line: Proxy

    @property
    def endpoint(self) -> str:
        return f"http://{self.line.endpoint}"

    def start(self) -> None:
        self.line.heal()

    def stop(self) -> None:
        self.line.cut()


@contextmanager
def s3_store(folder: Path, bucket: str) -> Iterator[RunningStore]:
    """A store with one user, the owner, and one empty bucket; its log is `store.txt` in the folder."""
    port = free_port()
    program = (sys.executable, "-W", "ignore", "-m", "tests.support.s3_process")
    with (folder / "store.txt").open("wb") as log:
        process = subprocess.Popen(
            [*program, str(port), OWNER.access_key_id, OWNER.secret_access_key, bucket],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + _WITHIN_S
        while not _answers(port):
            assert process.poll() is None, (folder / "store.txt").read_text()
            assert time.monotonic() < deadline, "the store doesn't answer"
            time.sleep(0.05)
        with Network() as network:
            yield RunningStore(network.proxy(port))
    finally:
        end(process, 9, 20.0)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), _WITHIN_S).close()
    except OSError:
        return False
    return True
