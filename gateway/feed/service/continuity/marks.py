"""Keeps the highest head signed for each own feed outside the database, so that a lost or old database shows.

A group commit runs: check heads against the marks, sign, `sign` (durable), commit, `commit`, release. Where one process
alone reads the database, the mark becomes durable beside the commit: `begin`, commit, `finish`; and what is read
meanwhile is released after `require_settled` only. So

* a mark is never behind what was released to anybody;
* a crash before the commit leaves `signed` ahead of `committed`. A head at either is whole: nothing of an uncommitted
  group was released, and the next group may sign another root for that size;
* a crash before the mark is durable leaves a larger head that contains the marked one: it was never released;
* a head below `committed`, or with another root there, lacks what was released: see feed.service.own_history.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from gateway.contract.ids import FeedOrigin
from gateway.errors import ConfigurationError, StoreUnavailableError
from gateway.feed.service.alarms import MARKS, Alarms
from gateway.feed.service.continuity.mark_files import (
    EMPTY,
    DatabaseIdentity,
    FeedMark,
    MarkFile,
    MarkState,
    SignedHead,
)
from gateway.feed.service.continuity.releases import Releases


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


ALIVE_MS = 30_000
"""Interval at which an idle node renews `alive_at`, in milliseconds."""

_RETRY_AFTER_S = 1.0

_NOTHING = FeedMark(EMPTY, EMPTY)


class Marks:
    """The marks of one node, in one or two places. Thread-safe.

    The first place must take every mark, or nothing is signed. A place that fails raises an alarm.
    """

    def __init__(self, node: str, places: Sequence[Path], *, alarms: Alarms | None = None) -> None:
        """Reads and locks the places.

        Raises:
            MarksInUseError: another process uses a place.
            ConfigurationError: a place can't be read, or belongs to another node.
        """
        self._alarms = alarms
        self._lock = threading.Lock()
        self._files = [MarkFile(path) for path in places]
        self._written_alive_at = 0
        states = [state for file in self._files if (state := file.read()) is not None]
        for state in states:
            if state.node != node:
                raise ConfigurationError(f"marks: {self._files[0].path} belongs to {state.node}, not to {node}")
        self.found = bool(states)
        """Whether any place had marks."""
        self.confirmed = len(states) > 1 and all(state == states[0] for state in states)
        """Whether a second place says the same: the folder is no old copy then, however long the node was stopped."""
        self._state = _merged(node, states)
        self.releases = Releases(node, [_beside(place) for place in places], marked=self._state.feeds, alarms=alarms)
        self._dirty = False
        self._syncing = SyncThread()
        self._begun: MarkState | None = None
        self._failure: StoreUnavailableError | None = None
        self._problem = ""
        self._wrong: set[Path] = set()  # places with an alarm

    @property
    def state(self) -> MarkState:
        return self._state

    @property
    def problem(self) -> str:
        """Why the first place couldn't be written last time: nothing is signed, or leaves; empty when it could."""
        return self._problem or self.releases.problem

    def of(self, origin: FeedOrigin) -> FeedMark | None:
        return self._state.feeds.get(origin)

    def sign(self, heads: Mapping[FeedOrigin, SignedHead], now_ms: int) -> None:
        """Makes signed heads durable; call it before their commit.

        Raises:
            StoreUnavailableError: the first place can't be written; roll back.
        """
        with self._lock:
            changed = {origin: replace(self._mark(origin), signed=head) for origin, head in heads.items()}
            self._write(replace(self._state, alive_at=now_ms, feeds={**self._state.feeds, **changed}))

    def begin(self, heads: Mapping[FeedOrigin, SignedHead], now_ms: int) -> None:
        """Writes signed heads and begins to make them durable; `finish` must follow, in the same thread.

        Raises:
            StoreUnavailableError: as `sign`; there is nothing to finish.
        """
        self._lock.acquire()
        try:
            changed = {origin: replace(self._mark(origin), signed=head) for origin, head in heads.items()}
            state = replace(self._state, alive_at=now_ms, feeds={**self._state.feeds, **changed})
            first, *others = self._files
            with self._unavailable(first):
                first.put(state)
            self.releases.begin()
            self._syncing.begin(partial(self._sync, [file for file in others if self._second(file, file.put, state)]))
            self._begun = state
        except BaseException:
            self._lock.release()
            raise

    def finish(self) -> None:
        """Waits until what `begin` wrote is durable.

        Raises:
            StoreUnavailableError: it isn't. Nothing that was committed meanwhile may be released before a later write.
        """
        try:
            assert self._begun is not None  # noqa: S101  the caller has begun
            self._state = self._begun
            try:
                self._syncing.wait()
            except StoreUnavailableError as error:
                self._failure, self._dirty = error, True
                raise
            self._written(self._begun)
        finally:
            self._begun = None
            self._lock.release()

    def settle(self, now_ms: int) -> None:
        """Writes again what failed beside a commit; raises StoreUnavailableError, and nothing may be released."""
        with self._lock:
            if self._failure is not None:
                self._write(replace(self._state, alive_at=now_ms))

    def require_settled(self) -> None:
        """Returns when every head that the caller has read from the database is marked, so that it may be released.

        Raises:
            StoreUnavailableError: the marks can't be written.
        """
        with self._lock:
            if self._failure is not None:
                raise self._failure

    def commit(self, heads: Mapping[FeedOrigin, SignedHead]) -> None:
        """Notes heads that are in the database; the next write makes that durable."""
        with self._lock:
            marks = {origin: replace(self._mark(origin), committed=head, signed=head) for origin, head in heads.items()}
            self._note(marks)

    def follow(self, origin: FeedOrigin, given_up_at: int) -> None:
        """Notes that a mark is of the feed as it went on after a decision; the next write makes that durable."""
        with self._lock:
            self._note({origin: replace(self._mark(origin), given_up_at=given_up_at)})

    def give_up(self, origin: FeedOrigin, head: SignedHead, given_up_at: int, now_ms: int) -> None:
        """Takes a lower head, or another one, by a decision that is committed: what lies beyond is lost.

        Raises:
            StoreUnavailableError: as `sign`.
        """
        with self._lock:
            feeds = {**self._state.feeds, origin: FeedMark(head, head, given_up_at)}
            self._write(replace(self._state, alive_at=now_ms, feeds=feeds))

    def confirm(self, origin: FeedOrigin, head: SignedHead, now_ms: int) -> None:
        """Takes the word of a recipient that was asked: nothing lies beyond this head and the mark.

        Raises:
            StoreUnavailableError: as `sign`.
        """
        with self._lock:
            mark = self._mark(origin)
            if head.size >= mark.committed.size:
                mark = replace(mark, committed=head, signed=head)
            feeds = {**self._state.feeds, origin: mark}
            unasked = self._state.unasked - {origin}
            self._write(replace(self._state, alive_at=now_ms, feeds=feeds, unasked=unasked))

    def distrust(self, origins: Iterable[FeedOrigin], now_ms: int) -> None:
        """Adds feeds whose recipients must be asked; raises StoreUnavailableError."""
        with self._lock:
            self._write(replace(self._state, alive_at=now_ms, unasked=self._state.unasked.union(origins)))

    def trust(self, now_ms: int) -> None:
        """Takes the word of other replicas that run: no recipient needs to be asked. Raises StoreUnavailableError."""
        with self._lock:
            if self._state.unasked:
                self._write(replace(self._state, alive_at=now_ms, unasked=frozenset()))

    def set_up(self, made_at: int, *, lost_at: int = 0) -> None:
        """Notes that the node's folder has just been made; raises StoreUnavailableError.

        Args:
            made_at: when, in milliseconds since 1970: in whole seconds where a directory's times are compared with it.
            lost_at: the same of a node that has run before, and whose data are gone: to the millisecond, as backups.
        """
        with self._lock:
            self._write(replace(self._state, made_at=made_at, lost_at=lost_at))

    def set_database(self, database: DatabaseIdentity, now_ms: int) -> None:
        """Notes the cluster that is written to; raises StoreUnavailableError."""
        with self._lock:
            if database != self._state.database:
                self._write(replace(self._state, alive_at=now_ms, database=database))

    def set_lossless(self, lossless: bool, now_ms: int) -> None:
        """Notes how the cluster that is written to commits by now; raises StoreUnavailableError."""
        with self._lock:
            known = self._state.database
            if known is not None and known.lossless is not lossless:
                self._write(replace(self._state, alive_at=now_ms, database=replace(known, lossless=lossless)))

    def keep_up(self, now_ms: int) -> None:
        """Writes what changed in memory, and that the node is alive; call it every second and at a stop.

        Raises:
            StoreUnavailableError: as `sign`.
        """
        with self._lock:
            if self._dirty or self._problem or now_ms - self._written_alive_at >= ALIVE_MS:
                self._write(replace(self._state, alive_at=now_ms))

    def close(self) -> None:
        """Unlocks the places."""
        self._syncing.stop()
        self.releases.close()
        for file in self._files:
            file.close()

    def _mark(self, origin: FeedOrigin) -> FeedMark:
        return self._state.feeds.get(origin, _NOTHING)

    def _note(self, marks: Mapping[FeedOrigin, FeedMark]) -> None:
        self._state = replace(self._state, feeds={**self._state.feeds, **marks})
        self._dirty = self._dirty or bool(marks)

    def _write(self, state: MarkState) -> None:
        first, *others = self._files
        with self._unavailable(first):
            first.write(state)
        self.releases.begin()
        for file in others:
            if self._second(file, file.write, state):
                self._is_right(file)
        self._written(state)

    def _written(self, state: MarkState) -> None:
        self._state, self._dirty, self._written_alive_at, self.found = state, False, state.alive_at, True
        self._failure, self._problem = None, ""
        self._is_right(self._files[0])

    def _sync(self, others: Iterable[MarkFile]) -> None:
        """Syncs the first place, and those others into which was written."""
        first = self._files[0]
        with self._unavailable(first):
            first.sync()
        for file in others:
            if self._second(file, file.sync):
                self._is_right(file)

    def _second(self, file: MarkFile, step: Callable[..., None], *args: MarkState) -> bool:
        """Whether a step succeeds; if not, an alarm says so."""
        try:
            step(*args)
        except OSError as error:
            self._is_wrong(file, error)
            return False
        return True

    @contextmanager
    def _unavailable(self, first: MarkFile) -> Iterator[None]:
        """Notes a failure of the first place, and raises StoreUnavailableError."""
        try:
            yield
        except OSError as error:
            self._problem = self._is_wrong(first, error)
            raise StoreUnavailableError(
                self._problem, retry_after_s=_RETRY_AFTER_S, metadata={"about": "marks"}
            ) from error

    def _is_wrong(self, file: MarkFile, error: OSError) -> str:
        problem = f"{file.path}: marks can't be written: {error.strerror}"
        self._wrong.add(file.path)
        if self._alarms is not None:
            self._alarms.set(MARKS, str(file.path), problem)
        return problem

    def _is_right(self, file: MarkFile) -> None:
        if file.path in self._wrong:
            self._wrong.discard(file.path)
            if self._alarms is not None:
                self._alarms.clear(MARKS, str(file.path))


def _beside(place: Path) -> Path:
    return place.with_name(f"{place.name}.releases")


def _merged(node: str, states: Iterable[MarkState]) -> MarkState:
    """The newest of what several places say."""
    merged = MarkState(node)
    for state in sorted(states, key=lambda state: state.alive_at):
        feeds = dict(merged.feeds)
        for origin, mark in state.feeds.items():
            known = feeds.get(origin, _NOTHING)
            if (mark.given_up_at, mark.committed.size) >= (known.given_up_at, known.committed.size):
                feeds[origin] = mark
        merged = replace(state, feeds=feeds)
    return merged
