"""Keeps files between two pages: what was looked at is what is imported, without sending it twice.

They are unlinked temporary files of this process: a console that ends has none, and says that the file must be chosen
again.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

from gateway.errors import NotFoundError, OverloadedError
from gateway.translation.messages import gettext as _

KEPT_S: Final = 900.0
"""Seconds for which somebody may look at what a file would change."""

MAX_FILES: Final = 16
"""Files of all persons at once; the oldest goes first."""


@dataclass(slots=True)
class _Spooled:
    owner: str
    name: str
    file: BinaryIO
    ends_at_s: float


class Spool:
    """Files by token, each for the person who gave it.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._files: OrderedDict[str, _Spooled] = OrderedDict()

    def put(self, owner: str, name: str, content: BinaryIO) -> str:
        """Keeps a copy of a file; returns its token."""
        self._drop_old()
        if sum(spooled.owner == owner for spooled in self._files.values()) >= MAX_FILES // 2:
            raise OverloadedError(_("Too many files wait to be imported. Finish one, or wait a quarter of an hour."))
        copy: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it is dropped
        while chunk := content.read(1 << 20):
            copy.write(chunk)
        token = secrets.token_urlsafe(18)
        self._files[token] = _Spooled(owner, name, copy, self._clock() + KEPT_S)
        return token

    def get(self, owner: str, token: str) -> tuple[str, BinaryIO]:
        """Name and file, from its beginning.

        Raises:
            NotFoundError: it is older than KEPT_S, or another person's.
        """
        self._drop_old()
        spooled = self._files.get(token)
        if spooled is None or spooled.owner != owner:
            raise NotFoundError(_("The file isn't here any more: choose it again."))
        spooled.file.seek(0)
        return spooled.name, spooled.file

    def drop(self, owner: str, token: str) -> None:
        """Forgets a file."""
        spooled = self._files.get(token)
        if spooled is not None and spooled.owner == owner:
            self._files.pop(token).file.close()

    def close(self) -> None:
        """Forgets all files."""
        while self._files:
            self._files.popitem()[1].file.close()

    def _drop_old(self) -> None:
        now = self._clock()
        while self._files and (len(self._files) >= MAX_FILES or next(iter(self._files.values())).ends_at_s < now):
            self._files.popitem(last=False)[1].file.close()
