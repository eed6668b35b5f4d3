"""Main program of a worker process: opens its handlers and answers calls until the node stops it or is gone.

`gateway.rpc.workers.worker_process` starts it with its name, the form and level of its log, and the descriptors of its
pipes. The first is the node's lifeline: nothing is ever written to it, and where the node's end closes, also by a kill,
the kernel ends this process at once, whatever it does. The second carries a function and its arguments, then numbers,
which a thread sends back to show that the process isn't stopped, and None at the end; None comes back once the handlers
are open. Each other pipe serves one handler: lists of pickled arguments in, lists of outcomes out.
"""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

from gateway.errors import InvalidRequestError
from gateway.logs import configure_logging

log = logging.getLogger(__name__)

Handlers = Mapping[str, Callable[..., Any]]
Opener = Callable[..., AbstractContextManager[Handlers]]
"""Opens handlers in the worker process, and closes their resources at the end."""

GC_THRESHOLD = 20_000
"""Allocations between garbage collections, unless an opener sets another number. By default, 700, they take a sixth of
the time in which modules are imported.
"""

Outcome = tuple[bool, Any]
"""True with a result; False with an invalid request's violations or another error's text."""


def main() -> None:
    """Serves the pipes named on the command line."""
    gc.set_threshold(GC_THRESHOLD)
    _name, form, level, lifeline, *descriptors = sys.argv[1:]
    _end_with(int(lifeline))
    configure_logging(form, level)
    control, *pipes = (Connection(int(descriptor)) for descriptor in descriptors)
    with suppress(EOFError, OSError):  # the node is gone
        opener, arguments, names = control.recv()
        answers, end = threading.Lock(), threading.Event()
        threading.Thread(target=_answer_pings, args=(control, answers, end), name="pings", daemon=True).start()
        with opener(*arguments) as handlers:
            for name, pipe in zip(names, pipes, strict=True):
                threading.Thread(target=_serve, args=(name, handlers[name], pipe), name=name, daemon=True).start()
            with answers:
                control.send(None)  # ready
            end.wait()


def _end_with(lifeline: int) -> None:
    """Lets the kernel end this process when the other end of a pipe closes.

    A thread that waits for it would come too late: what computes or writes in C may hold the interpreter for seconds,
    and a node that starts again, or its operator, takes the data folder for free meanwhile. SIGIO's default action is
    to end the process.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # closed before
        os._exit(1)


def _answer_pings(control: Connection, answers: threading.Lock, end: threading.Event) -> None:
    """Sends numbers back until None comes, or the node is gone."""
    try:
        while (number := control.recv()) is not None:
            with answers:
                control.send(number)
    except (EOFError, OSError):
        pass  # the node is gone
    finally:
        end.set()


def _serve(name: str, handler: Callable[..., Any], pipe: Connection) -> None:
    """Answers one handler's calls in order, calls that arrive together together."""
    with suppress(EOFError, OSError):
        while True:
            calls: list[bytes] = pipe.recv()
            pipe.send([_outcome(name, handler, ForkingPickler.loads(arguments)) for arguments in calls])


def _outcome(name: str, handler: Callable[..., Any], arguments: tuple[Any, ...]) -> Outcome:
    try:
        return True, handler(*arguments)
    except InvalidRequestError as error:
        return False, error.violations
    except Exception as error:
        log.exception("%s failed", name)
        return False, f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
