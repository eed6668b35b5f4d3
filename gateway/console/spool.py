"""Keeps files of persons for a while: between two pages, and while they come in parts.

They are unlinked temporary files of this process: a console that ends has none, and says that the file must be chosen
again.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Generic, TypeVar

from gateway.errors import NotFoundError, OverloadedError
from gateway.translation.messages import gettext as _

KEPT_S: Final = 900.0
"""Seconds for which somebody may look at what a file would change."""

MAX_FILES: Final = 16
"""Files of all persons at once; the oldest goes first."""

PART_BYTES: Final = 1024 * 1024
"""Most bytes of one part."""

PARTS_KEPT_S: Final = 3_600.0
"""Seconds after its last part for which a file waits for the next: a line may be down for long."""

OF_A_PERSON: Final = 8
"""Files of one person that are coming; the one whose last part is the longest ago goes first."""

LARGEST_OF_A_PERSON: Final = 4
LARGEST_OF_ALL: Final = 16
"""How many times the bytes of the largest file one person, and all persons, may have coming."""

MAX_HANDED_OVER: Final = 1_024
"""Files of which an answer that was lost can be had again."""


@dataclass(slots=True)
class _Kept:
    owner: str
    name: str
    file: BinaryIO
    ends_at_s: float


K = TypeVar("K", bound=_Kept)


class _ByToken(Generic[K]):
    """Files by token, each for the person who gave it; the first to end stands first.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._files: OrderedDict[str, K] = OrderedDict()

    def _add(self, kept: K) -> str:
        token = secrets.token_urlsafe(18)
        self._files[token] = kept
        return token

    def _of(self, owner: str, token: str) -> K:
        """Raises NotFoundError where it has ended, or is another person's."""
        self._drop_old()
        kept = self._files.get(token)
        if kept is None or kept.owner != owner:
            raise NotFoundError(_("The file isn't here any more: choose it again."))
        return kept

    def _drop_old(self) -> None:
        now_s = self._clock()
        while self._files and next(iter(self._files.values())).ends_at_s < now_s:
            self._files.popitem(last=False)[1].file.close()

    def close(self) -> None:
        """Forgets all files."""
        while self._files:
            self._files.popitem()[1].file.close()


class Spool(_ByToken[_Kept]):
    """Whole files between two pages: what was looked at is what is imported, without sending it twice."""

    def put(self, owner: str, name: str, content: BinaryIO) -> str:
        """Keeps a copy of a file; returns its token."""
        self._drop_old()
        while len(self._files) >= MAX_FILES:
            self._files.popitem(last=False)[1].file.close()
        if sum(kept.owner == owner for kept in self._files.values()) >= MAX_FILES // 2:
            raise OverloadedError(_("Too many files wait to be imported. Finish one, or wait a quarter of an hour."))
        copy: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it is dropped
        while chunk := content.read(1 << 20):
            copy.write(chunk)
        return self._add(_Kept(owner, name, copy, self._clock() + KEPT_S))

    def get(self, owner: str, token: str) -> tuple[str, BinaryIO]:
        """Name and file, from its beginning.

        Raises:
            NotFoundError: it is older than KEPT_S, or another person's.
        """
        kept = self._of(owner, token)
        kept.file.seek(0)
        return kept.name, kept.file

    def drop(self, owner: str, token: str) -> None:
        """Forgets a file."""
        kept = self._files.get(token)
        if kept is not None and kept.owner == owner:
            self._files.pop(token).file.close()


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What a file became at the gateway; the digest in hexadecimal, `remark` for its person."""

    digest: str
    name: str
    remark: str


@dataclass(slots=True)
class ComingFile(_Kept):
    """A file that comes in parts, of `size` bytes in the end.

    Attributes:
        received: bytes that are here.
        handing_over: held while the gateway gets it, so that it gets it once.
        result: afterwards; the bytes are gone then.
    """

    media_type: str
    size: int
    received: int = 0
    handing_over: asyncio.Lock = field(default_factory=asyncio.Lock)
    result: HandedOver | None = None


class PartialFiles(_ByToken[ComingFile]):
    """Files that come in parts. The bytes that each will have count from its beginning on."""

    def begin(self, owner: str, name: str, media_type: str, size: int, *, largest: int) -> str:
        """Makes room for a file; returns its token.

        Args:
            owner: the person whose it is.
            name: for people.
            media_type: as the browser says.
            size: in bytes, at most `largest`.
            largest: bytes that a file may have.

        Raises:
            OverloadedError: all persons together have too much coming.
        """
        self._drop_old()
        self._make_room(owner, size, largest)
        coming = [kept.size for kept in self._files.values() if kept.result is None]
        if sum(coming) + size > LARGEST_OF_ALL * largest:
            raise OverloadedError(_("Too many files are coming at once. Wait a moment."), retry_after_s=5.0)
        file: BinaryIO = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed when it is dropped
        return self._add(ComingFile(owner, name, file, self._clock() + PARTS_KEPT_S, media_type, size))

    def get(self, owner: str, token: str) -> ComingFile:
        """A file and how much of it is here.

        Raises:
            NotFoundError: its last part is older than PARTS_KEPT_S, or it is another person's.
        """
        return self._of(owner, token)

    def append(self, owner: str, token: str, offset: int, part: bytes) -> int:
        """Adds a part that begins where the file ends here; another is left out.

        Returns:
            Where the file ends now.

        Raises:
            NotFoundError: as `get`.
            OverloadedError: there is no room for it; what is here stays.
        """
        kept = self._of(owner, token)
        if offset == kept.received and len(part) <= kept.size - offset:
            _write(kept.file, offset, part)
            kept.received += len(part)
            kept.ends_at_s = self._clock() + PARTS_KEPT_S
            self._files.move_to_end(token)
        return kept.received

    def finish(self, kept: ComingFile, result: HandedOver) -> None:
        """Forgets the bytes of a file that the gateway has, and keeps what it became."""
        kept.result = result
        kept.file.close()
        finished = [token for token, each in self._files.items() if each.result is not None]
        for token in finished[:-MAX_HANDED_OVER]:
            del self._files[token]

    async def drop(self, kept: ComingFile, token: str) -> None:
        """Forgets a file; one that the gateway is getting, afterwards."""
        async with kept.handing_over:
            self.forget(kept, token)

    def forget(self, kept: ComingFile, token: str) -> None:
        """Forgets a file at once, for who holds its `handing_over`."""
        self._files.pop(token, None)
        kept.file.close()

    def _make_room(self, owner: str, size: int, largest: int) -> None:
        """Drops a person's own files until there is room for one more of so many bytes."""
        own = [
            (token, kept)
            for token, kept in self._files.items()
            if kept.owner == owner and kept.result is None and not kept.handing_over.locked()
        ]
        while own and (
            len(own) >= OF_A_PERSON or sum(kept.size for _token, kept in own) + size > LARGEST_OF_A_PERSON * largest
        ):
            token, kept = own.pop(0)
            del self._files[token]
            kept.file.close()


def _write(file: BinaryIO, offset: int, part: bytes) -> None:
    try:
        file.seek(offset)
        view = memoryview(part)
        while view:
            view = view[file.write(view) :]
    except OSError:
        raise OverloadedError(_("The console has no room for files now. Wait a moment."), retry_after_s=30.0) from None
