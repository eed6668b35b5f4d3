"""Main program of a worker process: opens its handlers and answers calls until the node stops it or is gone.

`gateway.rpc.workers.worker_process` starts it with its name, the form and level of its log, and the descriptors of its
pipes. The first pipe carries a function and its arguments, then numbers, which a thread sends back to show that the
process isn't stopped, and None at the end; None comes back once the handlers are open. Each other pipe serves one
handler: lists of pickled arguments in, lists of outcomes out.
"""

from __future__ import annotations

import gc
import logging
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
    _name, form, level, *descriptors = sys.argv[1:]
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
