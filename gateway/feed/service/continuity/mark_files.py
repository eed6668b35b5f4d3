"""Reads and writes a place for marks: one file of two halves that are written in turn.

Each half is synced, and has a number and a digest: a write that a crash cuts off leaves the other half. That costs one
fdatasync, where replacing the file costs two syncs.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from gateway.contract.ids import FeedOrigin
from gateway.errors import ConfigurationError, GatewayError
from gateway.files import OWNER_ONLY, open_to_change, replace_file
from gateway.tlog.merkle import EMPTY_ROOT

log = logging.getLogger(__name__)

LEAST_HALF_BYTES = 4096
"""A page: some twenty feeds."""

MAX_FILE_BYTES = 1 << 20
"""Largest file read, in bytes: thousands of feeds."""

_FIRST_LINE = "customs-gateway marks v1"


class MarksInUseError(ConfigurationError):
    """Another process of this node writes the marks."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A feed's size and root at one moment."""

    size: int
    root: bytes


EMPTY = SignedHead(0, EMPTY_ROOT)


@dataclass(frozen=True, slots=True)
class FeedMark:
    """Heads of one own feed.

    Attributes:
        committed: the newest that is known to be committed; it may have been released.
        signed: the newest that was signed: the same, or of a group whose commit isn't known.
        given_up_at: time of the newest decision to go on without lost entries that these heads are made after
            (feed.tables.restores), in milliseconds since 1970; 0 for none.
    """

    committed: SignedHead
    signed: SignedHead
    given_up_at: int = 0


@dataclass(frozen=True, slots=True)
class DatabaseIdentity:
    """The PostgreSQL cluster that a node wrote to last.

    Attributes:
        system: `system_identifier` of the cluster.
        timeline: a promoted standby begins a new one.
        lossless: whether commits were confirmed by a standby before they were acknowledged.
    """

    system: str
    timeline: int
    lossless: bool


@dataclass(frozen=True, slots=True)
class MarkState:
    """Content of a file of marks.

    Attributes:
        node: `<federation>/<node>`.
        alive_at: when the node wrote last, in milliseconds since 1970.
        made_at: when the node's folder was prepared, in milliseconds since 1970; 0 for unknown.
        lost_at: the same of a node that has lost its data before; 0 for another one.
        unasked: feeds of which more may have been signed than the marks know; their recipients must be asked.
        database: None on SQLite.
    """

    node: str
    alive_at: int = 0
    made_at: int = 0
    lost_at: int = 0
    unasked: frozenset[FeedOrigin] = frozenset()
    database: DatabaseIdentity | None = None
    feeds: Mapping[FeedOrigin, FeedMark] = field(default_factory=dict)


def peek(place: Path) -> MarkState | None:
    """What a place says, also while its node runs; None without a whole half."""
    try:
        content = place.read_bytes()[:MAX_FILE_BYTES]
    except OSError:
        return None
    whole = _whole_halves(content)
    return max(whole, key=lambda part: part[0])[1] if whole else None


class MarkFile:
    """One place: two halves that are written in turn."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._half_bytes = 0
        self._sequence = 0
        self._unsynced = False

    def read(self) -> MarkState | None:
        """The newest whole half; None without a file, or with a damaged one.

        Raises:
            MarksInUseError: another process holds it.
            ConfigurationError: it can't be read.
        """
        if not self.path.exists():
            return None
        try:
            self._open()
            content = os.pread(self._descriptor, MAX_FILE_BYTES, 0)
        except OSError as error:
            raise ConfigurationError(f"marks: {self.path}: {error.strerror}") from error
        whole = _whole_halves(content)
        if not whole:
            log.error("%s is damaged; own feeds wait until their recipients were asked", self.path)
            return None
        self._half_bytes = len(content) // 2
        self._sequence, state = max(whole, key=lambda part: part[0])
        return state

    def write(self, state: MarkState) -> None:
        """Writes and syncs; raises OSError, and the half written before stays."""
        self.put(state)
        self.sync()

    def put(self, state: MarkState) -> None:
        """Writes; only `sync` makes it durable. Raises OSError, and the half written before stays."""
        data = _sealed(self._sequence + 1, _encoded(state))
        if len(data) > self._half_bytes or not self._is_in_place():
            self._make(data)
            self._sequence += 1
            return
        at = ((self._sequence + 1) % 2) * self._half_bytes
        os.pwrite(self._descriptor, data.ljust(self._half_bytes, b"\n"), at)
        self._unsynced = True

    def sync(self) -> None:
        """Makes what was put durable; raises OSError, and the next `put` writes the same half again."""
        if self._unsynced:
            os.fdatasync(self._descriptor)
            self._unsynced = False
            self._sequence += 1

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _make(self, data: bytes) -> None:
        """Makes the file anew, with room to grow; a crash leaves the old one."""
        half = max(LEAST_HALF_BYTES, 1 << (2 * len(data)).bit_length())
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(self.path, data.ljust(half, b"\n") * 2, mode=OWNER_ONLY)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.close()
        self._open()
        self._half_bytes = half

    def _open(self) -> None:
        descriptor = open_to_change(self.path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise MarksInUseError(
                f"marks: {self.path} is in use by another process of this node; stop that first"
            ) from error
        self._descriptor = descriptor

    def _is_in_place(self) -> bool:
        """Whether the open file still has its name."""
        if self._descriptor < 0:
            return False
        try:
            present = self.path.stat()
        except FileNotFoundError:
            return False
        opened = os.fstat(self._descriptor)
        return (present.st_dev, present.st_ino) == (opened.st_dev, opened.st_ino)


def _encoded(state: MarkState) -> str:
    lines = [f"node {state.node}", f"alive {state.alive_at}"]
    if state.made_at:
        lines.append(f"made {state.made_at}")
    if state.lost_at:
        lines.append(f"lost {state.lost_at}")
    if state.database is not None:
        known = state.database
        lines.append(f"database {known.system} {known.timeline} {'lossless' if known.lossless else 'lossy'}")
    lines += [f"unasked {origin.line}" for origin in sorted(state.unasked)]
    for origin, mark in sorted(state.feeds.items()):
        heads = " ".join(f"{head.size} {head.root.hex()}" for head in (mark.committed, mark.signed))
        lines.append(f"feed {origin.line} {heads}")
        if mark.given_up_at:
            lines.append(f"given-up {origin.line} {mark.given_up_at}")
    return "\n".join(lines) + "\n"


def _sealed(sequence: int, text: str) -> bytes:
    body = f"{_FIRST_LINE}\nsequence {sequence}\n{text}"
    return f"{body}sha256 {sha256(body.encode()).hexdigest()}\n".encode()


def _whole_halves(content: bytes) -> list[tuple[int, MarkState]]:
    half = len(content) // 2
    return [part for at in (0, half) if (part := _decoded(content[at : at + half])) is not None]


def _decoded(half: bytes) -> tuple[int, MarkState] | None:
    """Number and content of a half; None unless it is whole."""
    body, found, digest = half.rstrip(b"\n").rpartition(b"sha256 ")
    if not found or sha256(body).hexdigest().encode() != digest:
        return None
    try:
        first, sequence, *lines = body.decode().splitlines()
        if first != _FIRST_LINE:
            return None
        return int(sequence.removeprefix("sequence ")), _parsed(lines)
    except (ValueError, GatewayError):
        return None


def _parsed(lines: Iterable[str]) -> MarkState:
    state, feeds = MarkState(""), dict[FeedOrigin, FeedMark]()
    unasked: set[FeedOrigin] = set()
    given_up: dict[FeedOrigin, int] = {}
    for line in lines:
        match line.split(" "):
            case ["node", node]:
                state = replace(state, node=node)
            case ["alive", at]:
                state = replace(state, alive_at=int(at))
            case ["made", at]:
                state = replace(state, made_at=int(at))
            case ["lost", at]:
                state = replace(state, lost_at=int(at))
            case ["database", system, timeline, mode]:
                state = replace(state, database=DatabaseIdentity(system, int(timeline), mode == "lossless"))
            case ["unasked", origin]:
                unasked.add(FeedOrigin.parse(origin))
            case ["feed", origin, size, root, signed_size, signed_root]:
                committed = SignedHead(int(size), bytes.fromhex(root))
                signed = SignedHead(int(signed_size), bytes.fromhex(signed_root))
                feeds[FeedOrigin.parse(origin)] = FeedMark(committed, signed)
            case ["given-up", origin, at]:
                given_up[FeedOrigin.parse(origin)] = int(at)
            case _:
                continue  # of a later version
    feeds.update({origin: replace(feeds[origin], given_up_at=at) for origin, at in given_up.items() if origin in feeds})
    return replace(state, feeds=feeds, unasked=frozenset(unasked))
