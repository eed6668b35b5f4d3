"""tests/support/forked_commands.py: what runs the commands of many tests goes on, whatever is killed."""

from __future__ import annotations

import signal
import socket
import subprocess
import time

from tests.support.forked_commands import forked_commands

_PATIENCE_S = 60


def _printed(words: str) -> str:
    python = forked_commands() / "python"
    return subprocess.run([python, "-c", words], capture_output=True, text=True, check=True, timeout=_PATIENCE_S).stdout


def test_programs_that_are_killed_on_their_way_harm_nobody() -> None:
    """Before they asked, between asking and their answer, and while their command ends."""
    server = str(forked_commands() / "socket")
    for request in (b"", repr((["-c", "pass"], [], "/", {}, 0o22, [])).encode()):
        for _ in range(5):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as program:
                program.connect(server)
                if request:
                    program.send(request)
    assert _printed("print('goes on')") == "goes on\n"


def test_a_program_that_is_stopped_again_and_again_ends_as_its_command_did() -> None:
    python = forked_commands() / "python"
    words = "import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: exit(7))\nprint(flush=True)\ntime.sleep(60)"
    with subprocess.Popen([python, "-c", words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.readline()
        while program.poll() is None:
            program.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        assert (program.returncode, program.stderr and program.stderr.read()) == (7, b"")
