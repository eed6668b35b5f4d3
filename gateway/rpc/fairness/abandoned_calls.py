"""Shuts out callers that open calls and leave them at once.

HTTP/2 lets a client reset calls as fast as it opens them ("rapid reset", CVE-2023-44487). None counts among the calls
that its connection may have open, and each costs this process as much as a small call.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

from gateway.errors import OverloadedError

ABANDONED_PER_S = 20.0
ABANDONED_BURST = 200.0
"""Calls that a caller may leave like this: all open ones of a few connections at once, as when a busy client is
stopped, and then a few a second.
"""

ABANDONED_WITHIN_S = 0.2
"""Seconds within which leaving a call counts; later it is a person who has changed their mind, or a deadline."""

SHARED_PER_S = 200.0
SHARED_BURST = 2_000.0
"""The same of a program whose connections many share, e.g. a console: calls in the names of those who are shut out.
More than one browser can cause, and a twelfth of a processor.
"""

SHUT_OUT_S = 30.0
"""Seconds for which a caller that leaves more isn't served: its calls end their connections."""

MAX_CALLERS = 4_096
"""Most callers that are counted; the one counted longest ago is forgotten."""

_GATEWAY = "gateway/"

_log = structlog.get_logger(__name__)


class AbandonedCalls:
    """Counts the abandoned calls of each caller; for one event loop."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._shut_out_until: dict[str, float] = {}

    def count(self, caller: str, *, shared_with: str = "") -> bool:
        """Counts one call; True if its connection must end.

        Args:
            shared_with: the program that calls for others too: it is shut out only when it goes on to leave calls of
                callers that are shut out.
        """
        if not self._counted(caller, caller, ABANDONED_BURST, ABANDONED_PER_S):
            return False
        return not shared_with or self._counted(f"{shared_with}#shared", shared_with, SHARED_BURST, SHARED_PER_S)

    def _counted(self, counter: str, caller: str, burst: float, per_s: float) -> bool:
        """Counts one call; True if its caller is shut out, perhaps from now on."""
        if self._is_shut_out(caller):
            return True
        now_s = self._monotonic_s()
        level, at_s = self._levels.pop(counter, (0.0, now_s))
        level = max(0.0, level - (now_s - at_s) * per_s) + 1
        if level > burst:
            present = {name: until_s for name, until_s in self._shut_out_until.items() if until_s > now_s}
            self._shut_out_until = {**present, caller: now_s + SHUT_OUT_S}
            _log.warning("a caller leaves its calls as soon as it opens them; it is shut out", caller=caller)
            return True
        self._levels[counter] = (level, now_s)
        if len(self._levels) > MAX_CALLERS:
            self._levels.popitem(last=False)
        return False

    def require_served(self, caller: str) -> None:
        """Raises OverloadedError while the caller is shut out."""
        if self._is_shut_out(caller):
            wait_s = self._shut_out_until[caller] - self._monotonic_s()
            raise OverloadedError("this caller has left too many calls as soon as it opened them", retry_after_s=wait_s)

    def shut_out_nodes(self) -> frozenset[str]:
        """Partners that are shut out: their handshakes can be refused. May be called from any thread."""
        now_s = self._monotonic_s()
        callers = [caller for caller, until_s in list(self._shut_out_until.items()) if until_s > now_s]
        return frozenset(caller.removeprefix(_GATEWAY) for caller in callers if caller.startswith(_GATEWAY))

    def _is_shut_out(self, caller: str) -> bool:
        until_s = self._shut_out_until.get(caller) if self._shut_out_until else None
        if until_s is not None and until_s <= self._monotonic_s():
            del self._shut_out_until[caller]
            return False
        return until_s is not None
