"""What a trace has found so far, woven anew only when something has come."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from gateway.tracing.rules.join import Web, weave
from gateway.tracing.rules.records import Found, Known, gathered


class Gathering:
    """Records with the questions that they answered; for one thread at a time."""

    def __init__(self, found: Iterable[Found] = ()) -> None:
        self._found = list(found)

    def add(self, found: Iterable[Found]) -> None:
        """Takes further records, perhaps the same ones again, as answers to further questions."""
        before = len(self._found)
        self._found.extend(found)
        if len(self._found) > before:
            for name in ("_gathered", "web"):
                self.__dict__.pop(name, None)

    @cached_property
    def web(self) -> Web:
        """Each record once, with what joins them strongly."""
        known, _ = self._gathered
        return weave(known)

    @property
    def cut(self) -> bool:
        """Whether there were more records than a trace looks at."""
        return self._gathered[1]

    @cached_property
    def _gathered(self) -> tuple[list[Known], bool]:
        return gathered(self._found)
