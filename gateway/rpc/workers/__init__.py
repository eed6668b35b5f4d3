"""Runs handlers in worker processes."""
