"""The guard of deploy/guard in front of a node's port: HAProxy, which passes TLS through."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.attacks.attack import HOST

CONFIG = Path(__file__).parents[2] / "deploy" / "guard" / "haproxy.cfg"

PARTNER_RATE, STRANGER_RATE = "8m", "16k"
"""Bytes a second of one address, as docs/operating.md advises."""

ATTACKERS_ADDRESS = "127.0.0.2"
"""From which attacks come, so that the guard can tell them from the others."""

_START_S = 20.0
_PLACES = ("/usr/sbin/haproxy",)


def haproxy() -> str | None:
    """Where the program is; None where it isn't."""
    return next((place for place in (shutil.which("haproxy"), *_PLACES) if place and os.access(place, os.X_OK)), None)


@contextmanager
def guarded(port: int, folder: Path, *, program: str) -> Iterator[int]:
    """A guard in front of a port of this machine, to which HOST alone is a partner's address; its own port."""
    partners = folder / "partners.lst"
    partners.write_text(f"{HOST}\n", encoding="ascii")
    with socket.socket() as found:
        found.bind((HOST, 0))
        own = int(found.getsockname()[1])
    variables = {
        "GUARD_BIND": f"{HOST}:{own}",
        "GUARD_TARGET": f"{HOST}:{port}",
        "GUARD_PARTNERS": str(partners),
        "GUARD_PARTNER_RATE": PARTNER_RATE,
        "GUARD_STRANGER_RATE": STRANGER_RATE,
    }
    process = subprocess.Popen(
        [program, "-db", "-f", str(CONFIG)], env=os.environ | variables, stderr=subprocess.DEVNULL
    )
    try:
        _wait(own, process)
        yield own
    finally:
        process.kill()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the guard doesn't listen") from None
            time.sleep(0.05)
        else:
            return
