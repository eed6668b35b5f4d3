"""Reads licences from CSV."""
