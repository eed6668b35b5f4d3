"""Stores counts by day."""
