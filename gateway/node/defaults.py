"""Ports, link modes and file names that several modules share."""

from __future__ import annotations

from enum import StrEnum

DEFAULT_PEER_PORT = 7443
"""Port for partner gateways."""

DEFAULT_LOCAL_PORT = 7444
"""Port for the authority's own systems."""

STARTS_FILE = "starts"
"""File in the data folder that marks the last start and the database's entries: a restore shows by it."""


class LinkMode(StrEnum):
    """Which side opens the connection for a partner's feed."""

    PUSH = "push"
    PULL = "pull"
