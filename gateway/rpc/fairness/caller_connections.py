"""Knows who calls on which connection, and ends those on which nobody is to be served.

gRPC bounds the connections of a port alone, so that one caller could hold all of them, without a call: each caller has
a bound here, and silent connections end.

HTTP/2 lets a client reset calls as fast as it opens them ("rapid reset", CVE-2023-44487). None counts among the calls
that its connection may have open, and each costs this process as much as a small call. Callers that do so are shut out.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import structlog

from gateway.errors import OverloadedError
from gateway.rpc.fairness.sockets import Address, parse_peer, shut_down

ANSWER_S = 1.0
"""Seconds for the answer to a refused call to arrive, before its connection is ended."""


class Disconnector:
    """Ends connections by the caller's address; for one event loop, with one thread of its own.

    Each connection is ended once, so a caller pays with a TLS handshake for each refusal.
    """

    def __init__(self, end: Callable[[str], object] = shut_down, *, answer_s: float = ANSWER_S) -> None:
        self._end = end
        self._answer_s = answer_s
        self._due: set[str] = set()  # as many as there are connections
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="disconnect")

    def now(self, peer: str) -> None:
        """Ends the connection with `peer`, as `ServicerContext.peer` gives it."""
        self._schedule(peer, 0.0)

    def soon(self, peer: str) -> None:
        """Ends it when the answer to its caller has had time to arrive."""
        self._schedule(peer, self._answer_s)

    def _schedule(self, peer: str, after_s: float) -> None:
        if peer not in self._due:
            self._due.add(peer)
            asyncio.get_running_loop().call_later(after_s, self._start, peer)

    def _start(self, peer: str) -> None:
        ended = asyncio.get_running_loop().run_in_executor(self._thread, self._end, peer)
        ended.add_done_callback(lambda _: self._due.discard(peer))


PARTNER_CONNECTIONS, SYSTEM_CONNECTIONS = 32, 128
"""Connections of one partner and of one own system: links and queries need two or three, and a restart as many more."""

SILENT_S = 10.0
"""Seconds that a connection may stay without an admitted call. Clients connect in order to call."""

RETRY_AFTER_S = 1.0
"""Seconds to wait for a caller with too many connections: by then those that it has closed are forgotten."""


class CallerConnections:
    """The connections of one port, for one event loop.

    Memory grows with the port's connections, which gRPC bounds, and with those that ended since the last `sweep`.

    Args:
        most: connections of one caller.
        disconnector: ends those that are too many or silent.
    """

    def __init__(
        self,
        most: int,
        disconnector: Disconnector,
        *,
        silent_s: float = SILENT_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._disconnector = disconnector
        self._silent_s = silent_s
        self._monotonic_s = monotonic_s
        self._callers: dict[str, str] = {}
        self._addresses: dict[str, Address | None] = {}
        self._counts: Counter[str] = Counter()
        self._silent_since: dict[Address, float] = {}
        self._has_news = True

    @property
    def is_quiet(self) -> bool:
        """Whether `sweep` has nothing to do as long as the port's connections stay the same; from any thread."""
        return not (self._has_news or self._silent_since)

    def admit(self, peer: str, caller: str) -> None:
        """Notes that a caller calls on the connection with `peer`, as `ServicerContext.peer` gives it.

        Raises:
            OverloadedError: the caller has too many; this one is ended when that was answered.
        """
        if self._callers.get(peer) == caller:
            return
        self._has_news = True
        if self._counts[caller] >= self._most:
            self._disconnector.soon(peer)
            raise OverloadedError(
                f"{self._most} connections are open, and that is the limit for one caller", retry_after_s=RETRY_AFTER_S
            )
        self._forget(peer)
        self._callers[peer], self._addresses[peer] = caller, parse_peer(peer)
        self._counts[caller] += 1

    def sweep(self, connected: Collection[Address]) -> None:
        """Forgets connections that have ended, and ends those on which nobody has called for too long.

        Args:
            connected: other ends of all connections that the port has now.
        """
        self._has_news = False
        for peer, address in list(self._addresses.items()):
            if address not in connected:
                self._forget(peer)
        now = self._monotonic_s()
        silent = set(connected).difference(self._addresses.values())
        self._silent_since = {address: self._silent_since.get(address, now) for address in silent}
        for address, since in self._silent_since.items():
            if now - since >= self._silent_s:
                self._disconnector.now(address.peer)

    def _forget(self, peer: str) -> None:
        caller = self._callers.pop(peer, None)
        if caller is not None:
            del self._addresses[peer]
            self._counts[caller] -= 1
            if not self._counts[caller]:
                del self._counts[caller]


ABANDONED_PER_S = 20.0
ABANDONED_BURST = 600.0
"""Calls that a caller may leave like this: all that it may have open (`limits.SYSTEM_LIMITS`), as when its connection
breaks or it is stopped, and then a few a second.
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
