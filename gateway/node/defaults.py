"""Ports, link modes and file names that several modules share."""

from __future__ import annotations

from enum import StrEnum

DEFAULT_PEER_PORT = 7443
"""Port for partner gateways."""

DEFAULT_LOCAL_PORT = 7444
"""Port for the authority's own systems."""

STARTS_FILE = "starts"
"""File of earlier releases in the data folder, which marks the last start; marks have taken its place."""

MARKS_FILE = "marks"
"""File in the data folder with the highest head signed for each own feed: a lost or old database shows by it."""


class LinkMode(StrEnum):
    """Which side opens the connection for a partner's feed."""

    PUSH = "push"
    PULL = "pull"
