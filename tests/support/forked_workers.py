"""Worker processes of a forked node, forked as well: to start an interpreter and import takes a second of a core.

A process that the node forks before it has threads forks the workers, and the kernel makes these children of the node,
as they are in operation: it waits for them, kills them, and they end with its pipes. What they show of themselves is as
if they had been started: their own group, and a name, here the process's instead of its command line's.
Nodes in the tests' own process, which has threads, have theirs from a process that the one that forks nodes forks
(tests/support/node_processes.py). Only those that the installed command starts have workers as operators' nodes do.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Sequence
from typing import IO, Any

from gateway.node.host.file_modes import UMASK
from gateway.rpc.workers import worker_main, worker_process

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36

MOST_BYTES = 100_000
"""Longest request: the environment."""

MOST_DESCRIPTORS = 60

_asking = threading.Lock()


def shown_name(name: str) -> str:
    """How the system shows a forked worker process of this name."""
    return name[:15]


def fork_workers() -> None:
    """Lets this process, a node's that has no threads yet, fork its worker processes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if not os.fork():
        ours.close()
        serve_workers(theirs)
    theirs.close()
    worker_process.subprocess = forked_through(ours)  # type: ignore[assignment]


def forked_through(forking: socket.socket) -> types.SimpleNamespace:
    """What a node uses as the module subprocess, for worker processes that a process at this socket forks."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def start(words: Sequence[str], **options: Any) -> subprocess.Popen[bytes] | ForkedWorker:
        if list(words[1:4]) != ["-P", "-m", worker_main.__name__]:
            return subprocess.Popen(words, **options)
        return _ask(forking, words[4:], **options)

    return types.SimpleNamespace(**{**vars(subprocess), "Popen": start})


class ForkedWorker:
    """What `subprocess.Popen` is to a WorkerProcess."""

    def __init__(self, pid: int, stderr: IO[bytes] | None) -> None:
        self.pid, self.stderr = pid, stderr
        self._lock = threading.Lock()
        self._code: int | None = None

    def poll(self) -> int | None:
        with self._lock:
            if self._code is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self._code = os.waitstatus_to_exitcode(status) if pid else None
            return self._code

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(shown_name(""), timeout or 0)
            time.sleep(0.005)
        return code

    def kill(self) -> None:
        with self._lock:
            if self._code is None:
                os.kill(self.pid, signal.SIGKILL)


def _ask(
    forking: socket.socket,
    words: Sequence[str],
    *,
    stderr: int | None,
    pass_fds: Sequence[int],
    env: dict[str, str],
    **_: Any,
) -> ForkedWorker:
    reading, writing = os.pipe() if stderr == subprocess.PIPE else (None, None)
    descriptors = [*pass_fds, *([] if writing is None else [writing])]
    request = {"words": words[: -len(pass_fds)], "env": env, "stderr": writing is not None}
    with _asking:
        socket.send_fds(forking, [json.dumps(request).encode()], descriptors)
        answer = forking.recv(MOST_BYTES)
    if writing is not None:
        os.close(writing)
    if not answer:
        raise OSError("the process that forks workers has ended")
    return ForkedWorker(int(answer), None if reading is None else os.fdopen(reading, "rb"))


def serve_workers(asked: socket.socket) -> None:
    """Forks what is asked for until the node is gone."""
    gc.freeze()
    while True:
        try:
            request, descriptors, _, _ = socket.recv_fds(asked, MOST_BYTES, MOST_DESCRIPTORS)
        except OSError:
            request = b""
        if not request:
            os._exit(0)
        between = os.fork()
        if not between:
            between = os.getpid()
            if os.fork():
                os._exit(0)
            while os.getppid() == between:
                time.sleep(0.0005)
            asked.send(str(os.getpid()).encode())
            asked.close()
            _work(json.loads(request), descriptors)
        os.waitpid(between, 0)
        for descriptor in descriptors:
            os.close(descriptor)


def _work(request: dict[str, Any], descriptors: list[int]) -> None:
    """Becomes a worker process; ends it."""
    code = 1
    try:
        os.setpgid(0, 0)
        os.umask(UMASK)
        os.environ.clear()
        os.environ.update(request["env"])
        if request["stderr"]:
            os.dup2(descriptors[-1], 2)
            os.close(descriptors.pop())
        sys.argv = [worker_main.__file__, *request["words"], *map(str, descriptors)]
        _prctl(_PR_SET_NAME, shown_name(request["words"][0]).encode())
        worker_process.subprocess = subprocess
        worker_main.main()
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        sys.stderr.flush()
        os._exit(code)


def die_with_parent(parent: int) -> None:
    """Lets this process be killed when the one that forked it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int | bytes) -> None:
    if ctypes.CDLL(None).prctl(option, value, 0, 0, 0):
        raise OSError(f"prctl({option}) failed")
