"""Ports and link modes that the settings have and the command line names."""

from __future__ import annotations

from enum import StrEnum

DEFAULT_PEER_PORT = 7443
"""Port for partner gateways."""

DEFAULT_LOCAL_PORT = 7444
"""Port for the authority's own systems."""


class LinkMode(StrEnum):
    """Who opens the connection that carries a feed to a partner."""

    PUSH = "push"
    PULL = "pull"
