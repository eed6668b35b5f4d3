"""Statements on projected watchlists, and on matches."""
