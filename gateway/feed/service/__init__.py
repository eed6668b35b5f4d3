"""Commits, sends, receives and recovers feeds."""
