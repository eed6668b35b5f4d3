"""Keeps beside the marks how far each own feed may have left this node, and the recipient's newest receipt.

After a loss of the database both say what may be signed again: nothing at a size of which the recipient may hold this
node's signature. A recipient that claims less than its own receipt says is refused.

A file has a place of SLOT_BYTES for each feed, which one write replaces: it survives the end of the process at once,
and that of the machine after the next `keep_up`. What another start of the machine has left counts as unknown.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

from gateway.contract.ids import FeedOrigin
from gateway.errors import GatewayError, StoreUnavailableError
from gateway.feed.service.alarms import MARKS, Alarms
from gateway.files import open_to_change, sync
from gateway.tlog.merkle import MAX_TREE_SIZE

SLOT_BYTES = 4096
"""A page: the feed's name, a size, and a checkpoint with two signatures."""

MOST_SLOTS = 4096
"""Most feeds read of a file."""

UNKNOWN = MAX_TREE_SIZE
"""Released size of a feed of which all may have left this node."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_FORMAT = "releases-v1"

_NO_BOOT = "-"
"""Of a system that doesn't say which start of the machine this is: what another process has left counts as unknown."""

_RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A recipient's newest receipt.

    Attributes:
        size: entries that it receipts.
        root: of these.
        note: the checkpoint with this node's signature and the recipient's cosignature, without those of second keys.
    """

    size: int
    root: bytes
    note: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """What is known of one own feed.

    Attributes:
        size: entries from here on never left this node; nor did a signature on more.
        receipt: the newest one; None for none.
    """

    size: int = 0
    receipt: KeptReceipt | None = None


class Releases:
    """The releases of one node, in one or two places. Thread-safe.

    The first place must take what leaves this node, or it doesn't leave. A place that fails raises an alarm.
    """

    def __init__(
        self, node: str, places: Sequence[Path], *, marked: Iterable[FeedOrigin], alarms: Alarms | None = None
    ) -> None:
        """Reads the places.

        Args:
            marked: feeds whose release is unknown where no whole place says anything of it.
        """
        self._lock = threading.Lock()
        self._alarms = alarms
        self.problem = ""
        """Why the first place couldn't be written last time: nothing leaves meanwhile; empty when it could."""
        boot = _boot_id()
        self._header = f"{_FORMAT} {node} {boot}"
        self._files = [_ReleaseFile(path) for path in places]
        found = [content for file in self._files if (content := file.read(node)) is not None]
        whole = any(content.whole and content.boot == boot != _NO_BOOT for content in found)
        whole = whole and all(content.whole for content in found)
        self._known: dict[FeedOrigin, Release] = {} if whole else dict.fromkeys(marked, Release(UNKNOWN))
        self._asked: dict[FeedOrigin, int] = {}  # the largest size that left while the release is unknown
        self._written = False
        self._shared = any(content.shared for content in found)
        for content in found:
            for origin, release in content.releases.items():
                known = self._known.get(origin, Release())
                size = max(known.size, release.size if content.boot == boot != _NO_BOOT else UNKNOWN)
                self._known[origin] = Release(size, _newest(known.receipt, release.receipt))

    def begin(self) -> None:
        """Makes the file before anything is signed: marks without one are an earlier release's. Raises as `release`."""
        if not self._written:
            with self._lock:
                self._write({})

    @property
    def shared(self) -> bool:
        """Whether other replicas have run."""
        return self._shared

    def size_of(self, origin: FeedOrigin) -> int:
        """Up to where a feed may have left this node."""
        return UNKNOWN if self._shared else self._known.get(origin, Release()).size

    def noted(self, origin: FeedOrigin) -> int:
        """How far a feed has left this process for certain; 0 where that isn't known."""
        size = self._known.get(origin, Release()).size
        return 0 if size >= UNKNOWN else size

    def receipt_of(self, origin: FeedOrigin) -> KeptReceipt | None:
        """The recipient's newest receipt that was kept."""
        return self._known.get(origin, Release()).receipt

    def release(self, origin: FeedOrigin, size: int) -> None:
        """Notes that entries below `size`, or a signature on them, are about to leave this node.

        Raises:
            StoreUnavailableError: it can't be noted, and they must not leave.
        """
        known = self._known.get(origin, Release()).size
        if known >= size and (known < UNKNOWN or self._asked.get(origin, 0) >= size):
            return
        with self._lock:
            self._asked[origin] = max(self._asked.get(origin, 0), size)
            known_now = self._known.get(origin, Release())
            if known_now.size < size:
                self._write({origin: replace(known_now, size=size)})

    def settle(self, origin: FeedOrigin, size: Callable[[], int]) -> None:
        """Notes that no more of a feed has left than there is, where its release is unknown. Raises as `release`.

        Args:
            size: reads the size of the feed, which nothing that was signed is beyond.
        """
        if self._known.get(origin, Release()).size < UNKNOWN:
            return
        there = size()
        with self._lock:
            self._write({origin: replace(self._known[origin], size=max(there, self._asked.get(origin, 0)))})

    def lower(self, origin: FeedOrigin, size: int) -> None:
        """Takes a decision to go on at a size: what lies beyond was given up. Raises as `release`."""
        if self.noted(origin) > size:
            with self._lock:
                self._write({origin: replace(self._known[origin], size=size)})

    def keep(self, receipts: Mapping[FeedOrigin, KeptReceipt]) -> None:
        """Keeps newer receipts; raises as `release`."""
        with self._lock:
            known = {origin: self._known.get(origin, Release()) for origin in receipts}
            newer = {
                origin: replace(release, receipt=receipts[origin])
                for origin, release in known.items()
                if release.receipt is None or release.receipt.size < receipts[origin].size
            }
            if newer:
                self._write(newer)

    def share(self) -> None:
        """Notes that other replicas run: what they release isn't known here. Raises as `release`."""
        if not self._shared:
            with self._lock:
                self._shared = True
                self._write({})

    def keep_up(self) -> None:
        """Makes what was noted survive a power cut; call it every second and at a stop. Raises as `release`."""
        if self._written and not all(file.is_complete for file in self._files):
            with self._lock:
                self._write({})
        self._each(_ReleaseFile.sync)

    def close(self) -> None:
        """Closes the places."""
        for file in self._files:
            file.close()

    def _write(self, releases: Mapping[FeedOrigin, Release]) -> None:
        known = {**self._known, **releases}
        header = f"{self._header} {'shared' if self._shared else 'alone'}"
        self._each(lambda file: file.write(header, releases if file.is_complete else known))
        self._known = known
        self._written = True

    def _each(self, step: Callable[[_ReleaseFile], None]) -> None:
        for number, file in enumerate(self._files):
            try:
                step(file)
            except OSError as error:
                problem = f"{file.path}: releases can't be written: {error.strerror}"
                file.is_wrong = True
                if self._alarms is not None:
                    self._alarms.set(MARKS, str(file.path), problem)
                if not number:
                    self.problem = problem
                    about = {"about": "marks"}
                    raise StoreUnavailableError(problem, retry_after_s=_RETRY_AFTER_S, metadata=about) from error
            else:
                if file.is_wrong and self._alarms is not None:
                    self._alarms.clear(MARKS, str(file.path))
                file.is_wrong = False
                self.problem = self.problem if number else ""


@dataclass(frozen=True, slots=True)
class _Content:
    """Of one place; `whole`: no slot is damaged."""

    boot: str
    shared: bool
    releases: Mapping[FeedOrigin, Release]
    whole: bool


class _ReleaseFile:
    """One place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._slots: dict[FeedOrigin, int] = {}
        self._header = ""
        self._unsynced = False
        self.is_complete = False
        """Whether it has all that is known: after a failure it gets everything anew."""
        self.is_wrong = False
        """Whether there is an alarm about it."""

    def read(self, node: str) -> _Content | None:
        """What it says; None without a file, or with another node's."""
        try:
            content = self.path.read_bytes()[: SLOT_BYTES * MOST_SLOTS]
        except OSError:
            return None
        header, *slots = (_words(content[at : at + SLOT_BYTES]) for at in range(0, len(content) or 1, SLOT_BYTES))
        if header is None or header[:2] != [_FORMAT, node]:
            return None
        releases: dict[FeedOrigin, Release] = {}
        for number, words in enumerate(slots, start=1):
            if words is not None and (found := _parsed(words)) is not None:
                releases[found[0]] = found[1]
                self._slots[found[0]] = number
        return _Content(header[2], header[3] != "alone", releases, whole=len(releases) == len(slots))

    def write(self, header: str, releases: Mapping[FeedOrigin, Release]) -> None:
        """Writes the feeds' slots, then the header where it changed; raises OSError."""
        if not self.is_complete:
            self._header = ""
        self.is_complete = False
        if self._descriptor < 0:
            self._open()
        for origin, release in releases.items():
            number = self._slots.get(origin) or max(self._slots.values(), default=0) + 1
            self._put(number, _line(origin, release))
            self._slots[origin] = number
        if header != self._header:
            self._put(0, header)
            self._header = header
        self.is_complete = True

    def sync(self) -> None:
        if self._unsynced and self._descriptor >= 0:
            self._unsynced = False
            try:
                os.fdatasync(self._descriptor)
            except OSError:
                self._unsynced = True
                raise

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = not self.path.exists()
        self._descriptor = open_to_change(self.path)
        if made:
            sync(self.path.parent)

    def _put(self, number: int, text: str) -> None:
        data = f"{text} {crc32(text.encode()):08x}\n".encode()
        if len(data) > SLOT_BYTES:
            raise ValueError(f"{len(data)} bytes don't fit into a slot: they would overwrite the next feed's")
        os.pwrite(self._descriptor, data.ljust(SLOT_BYTES, b"\n"), number * SLOT_BYTES)
        self._unsynced = True


def _newest(one: KeptReceipt | None, other: KeptReceipt | None) -> KeptReceipt | None:
    return max((receipt for receipt in (one, other) if receipt is not None), key=lambda each: each.size, default=None)


def _line(origin: FeedOrigin, release: Release) -> str:
    receipt = release.receipt
    if receipt is None:
        return f"{origin.line} {release.size}"
    note = base64.b64encode(receipt.note).decode()
    return f"{origin.line} {release.size} {receipt.size} {receipt.root.hex()} {note}"


def _words(slot: bytes) -> list[str] | None:
    """Words of a slot; None unless it is whole."""
    text, _, digest = slot.rstrip(b"\n").rpartition(b" ")
    if not text or digest != f"{crc32(text):08x}".encode():
        return None
    return text.decode("utf-8", "replace").split(" ")


def _parsed(words: Sequence[str]) -> tuple[FeedOrigin, Release] | None:
    try:
        match words:
            case [origin, size]:
                return FeedOrigin.parse(origin), Release(int(size))
            case [origin, size, receipted, root, note]:
                receipt = KeptReceipt(int(receipted), bytes.fromhex(root), base64.b64decode(note))
                return FeedOrigin.parse(origin), Release(int(size), receipt)
    except (ValueError, GatewayError):
        pass
    return None


def _boot_id() -> str:
    """Which start of the machine this is; a dash where the system doesn't say."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip() or _NO_BOOT
    except OSError:
        return _NO_BOOT
