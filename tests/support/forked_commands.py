"""`gateway` and `python` for tests that start many commands: these fork from a process that has imported everything.

The programs in this folder of the tests' process need twelve milliseconds, where importing takes a second of a core.
They hand their words, folder, environment and descriptors over, pass signals on, and end as the forked process does,
which is killed when they are. `python` runs `-m gateway.cli.main`, `-m demo` and `-c`; everything else runs in the
interpreter itself. Nodes started so fork their worker processes. The language is that of the tests' process.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import os
import resource
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from ast import literal_eval
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.support.forked_workers import MOST_BYTES, MOST_DESCRIPTORS, die_with_parent, fork_workers
from tests.support.node_processes import ForkedProcess, forking_process

_MODULES: Final = ("gateway.cli.main", "demo.__main__")

_SOCKET: Final = "socket"
_READY: Final = "ready"

_PROGRAM = """#!{python} -ISE
import _signal, _socket, os, sys

name, *words = sys.argv
if name.endswith("/gateway"):
    run, words = ["-m", "gateway.cli.main"], words
else:
    if words[:1] == ["-P"]:
        del words[0]
    run, words = words[:2], words[2:]
    if run == ["-m", "demo"]:
        run[1] = "demo.__main__"
    if run[:1] != ["-c"] and (run[:1] != ["-m"] or run[1] not in {modules}):
        os.execv({python!r}, [{python!r}, *sys.argv[1:]])



def pass_on(number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended, and its code is on the way


descriptors = []
for number in sorted(map(int, os.listdir("/proc/self/fd"))):
    try:
        os.fstat(number)
        descriptors.append(number)
    except OSError:
        pass  # of the listing
umask = os.umask(0)
os.umask(umask)
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
server.connect({socket!r})
request = ascii((run, words, os.getcwd(), dict(os.environ), umask, descriptors)).encode()
numbers = b"".join(number.to_bytes(4, sys.byteorder) for number in descriptors)
server.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, numbers)])
pid = int(server.recv(64))
for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
    _signal.signal(number, lambda number, _: pass_on(number))
code = int(server.recv(64) or 1)
if code < 0:
    _signal.signal(-code, _signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@cache
def forked_commands() -> Path:
    """The folder with the programs, for PATH; made when it is needed first."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-commands-"))
    atexit.register(shutil.rmtree, folder)
    forking = forking_process()
    server = ForkedProcess(forking.ask({"serve_commands": str(folder)}), forking)
    while not (folder / _READY).exists():
        assert server.poll() is None, "the process that forks commands has ended"
        time.sleep(0.02)
    return folder


class CommandServer:
    """Forks what the programs in the folder are asked to run; a process without threads."""

    def __init__(self, folder: Path) -> None:
        self._import_all()
        python = sys.executable
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.bind(str(folder / _SOCKET))
        self._listening.listen(64)
        for name in ("python", "gateway"):
            program = _PROGRAM.format(python=python, modules=_MODULES, socket=str(folder / _SOCKET))
            (folder / name).write_text(program, encoding="utf-8")
            (folder / name).chmod(0o700)
        sys.executable = str(folder / "python")
        for name in _MODULES:
            importlib.import_module(name)
        gc.freeze()
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._listening, selectors.EVENT_READ)
        self._running: dict[int, tuple[int, int]] = {}  # by connection: the process, and its descriptor
        (folder / _READY).touch()

    def serve(self) -> None:
        while True:
            for key, _ in self._ready.select():
                if key.fileobj is self._listening:
                    with suppress(ConnectionError):  # a program that was killed on its way here
                        self._accept()
                elif key.data is not None:
                    self._finished(key.data)
                elif key.fd in self._running:
                    self._ended(key.fd)

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        request, descriptors, _, _ = socket.recv_fds(connection, MOST_BYTES, MOST_DESCRIPTORS)
        if not request:
            connection.close()
            return
        server = os.getpid()
        if not (pid := os.fork()):
            connection.close()
            self._close()
            _become(server, descriptors, *literal_eval(request.decode()))
        for number in descriptors:
            os.close(number)
        with suppress(OSError):  # killed meanwhile: its connection says so next
            connection.send(str(pid).encode())
        ends = os.pidfd_open(pid)
        connection_fd = connection.detach()
        self._running[connection_fd] = (pid, ends)
        self._ready.register(connection_fd, selectors.EVENT_READ)
        self._ready.register(ends, selectors.EVENT_READ, connection_fd)

    def _ended(self, connection: int) -> None:
        """The program was killed; so is what it ran."""
        self._ready.unregister(connection)
        os.kill(self._running[connection][0], signal.SIGKILL)

    def _finished(self, connection: int) -> None:
        pid, ends = self._running.pop(connection)
        self._ready.unregister(ends)
        os.close(ends)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with suppress(KeyError):
            self._ready.unregister(connection)
        with socket.socket(fileno=connection) as program, suppress(OSError):
            program.send(str(code).encode())

    def _close(self) -> None:
        """In the forked process: what is the server's."""
        self._ready.close()
        self._listening.close()
        for connection, (_, ends) in self._running.items():
            os.close(connection)
            os.close(ends)

    @staticmethod
    def _import_all() -> None:
        import gateway.console.server.run  # noqa: F401
        from scripts import inventory

        inventory.commands()


def _become(
    server: int,
    received: list[int],
    run: list[str],
    words: list[str],
    folder: str,
    environment: dict[str, str],
    umask: int,
    numbers: list[int],
) -> None:
    """Becomes the command; ends it."""
    code = 1
    try:
        die_with_parent(server)
        _place(received, numbers)
        os.setsid()
        os.umask(umask)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        code = _run(run, words)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(BrokenPipeError):
            sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _place(received: list[int], numbers: list[int]) -> None:
    """Gives received descriptors the numbers that they had in the program."""
    above = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
    moved = [fcntl.fcntl(number, fcntl.F_DUPFD, above) for number in received]
    for number in received:
        os.close(number)
    for number, place in zip(moved, numbers, strict=True):
        os.dup2(number, place)
        os.close(number)


def _run(run: list[str], words: list[str]) -> int:
    kind, what = run
    sys.argv = [what if kind == "-m" else kind, *words]
    if words[:1] == ["serve"]:
        fork_workers()
    try:
        if kind == "-c":
            exec(what, {"__name__": "__main__"})  # noqa: S102  a test's own words
        else:
            module: Any = importlib.import_module(what)
            module.main()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
