"""Knows who calls on which connection: bounds the connections of a caller, and ends those on which nobody calls.

gRPC bounds the connections of a port alone, so that one caller could hold all of them, without a call.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection

from gateway.errors import OverloadedError
from gateway.rpc.fairness.disconnection import Disconnector
from gateway.rpc.fairness.sockets import Address, parse_peer

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
