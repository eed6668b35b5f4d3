"""Reads what alerts say for the inbox and the search."""
