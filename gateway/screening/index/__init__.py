"""Finds names by key in memory."""
