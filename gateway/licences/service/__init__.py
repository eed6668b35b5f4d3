"""Reads licences."""
