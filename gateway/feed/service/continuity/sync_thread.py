"""Runs one step at a time beside its caller, in a thread of its own: a sync beside another one."""

from __future__ import annotations

import threading
from collections.abc import Callable


class SyncThread:
    """Started with the first step. Steps are begun and awaited by one thread at a time."""

    def __init__(self) -> None:
        self._begun, self._ended = threading.Lock(), threading.Lock()  # held until that has happened
        self._begun.acquire()
        self._ended.acquire()
        self._step: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def begin(self, step: Callable[[], None]) -> None:
        """Begins a step; `wait` must follow."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="marks", daemon=True)
            thread.start()  # fails where the system has no more threads
            self._thread = thread
        self._step = step
        self._begun.release()

    def wait(self) -> None:
        """Returns when the step has ended; raises its error."""
        self._ended.acquire()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def stop(self) -> None:
        """Ends the thread, after use."""
        if self._thread is not None:
            self._step = None
            self._begun.release()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            self._begun.acquire()
            if self._step is None:
                return
            try:
                self._step()
            except BaseException as error:
                self._error = error
            self._ended.release()
