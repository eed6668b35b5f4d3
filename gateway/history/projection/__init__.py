"""Builds and rebuilds the index of recorded shipments."""
