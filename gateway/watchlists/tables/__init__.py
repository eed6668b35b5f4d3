"""Statements on watchlists as projected, and on matches."""
