"""Bounds what a caller costs, and serves callers in turn."""
