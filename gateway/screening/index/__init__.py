"""Finds names by key in tables."""
