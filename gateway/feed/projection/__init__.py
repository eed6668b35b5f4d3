"""Builds projections from the entries of the local log."""
