"""Ports and link modes shared by settings and command line."""

from __future__ import annotations

from enum import StrEnum

DEFAULT_PEER_PORT = 7443
"""Port for partner gateways."""

DEFAULT_LOCAL_PORT = 7444
"""Port for the authority's own systems."""


class LinkMode(StrEnum):
    """Which side opens the connection for a partner's feed."""

    PUSH = "push"
    PULL = "pull"
