"""Hands a picture from the page for which it was made to the page's `<img>`: its file is read, and audited, once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gateway.console.images.sandbox import SafePicture

KEPT_S: Final = 60.0
"""Seconds within which a browser asks for the pictures of a page."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""Of pictures that wait to be asked for; the oldest goes first, and is made again."""


class MadePictures:
    """Pictures by session and digest, each to be taken once.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made: OrderedDict[tuple[str, bytes], tuple[float, SafePicture]] = OrderedDict()

    def put(self, session: str, digest: bytes, picture: SafePicture) -> None:
        """Keeps a picture for a page of this session."""
        self._made.pop((session, digest), None)
        self._made[session, digest] = (self._clock() + KEPT_S, picture)
        while sum(len(each.content) for _ends_at_s, each in self._made.values()) > MAX_BYTES:
            self._made.popitem(last=False)
        self._drop_old()

    def take(self, session: str, digest: bytes) -> SafePicture | None:
        """The picture; None where it was taken before or is no longer here."""
        self._drop_old()
        _ends_at_s, picture = self._made.pop((session, digest), (0.0, None))
        return picture

    def _drop_old(self) -> None:
        now_s = self._clock()
        while self._made and next(iter(self._made.values()))[0] < now_s:
            self._made.popitem(last=False)
