"""Names of the screening process's handlers, for the node, which calls them, and for the process."""

from __future__ import annotations

FOLLOW, SCREEN, SCREEN_FEW, ESTIMATE = "follow", "screen", "screen few", "estimate"
"""FOLLOW reads list changes and searches for matches; arguments: cursors, the time in milliseconds since 1970; result:
Findings. SCREEN screens; arguments: a ScreenPartiesRequest, hidden lists as `publisher/list`, and the time; result: a
ScreenPartiesResponse. SCREEN_FEW is the same in a thread of its own, so that what an officer waits for never waits for
a batch. ESTIMATE counts what entries that aren't in force yet would have matched; arguments: the publisher, a
WatchlistUpdate, from when on sources count, and the time; result: an Estimate.
"""
