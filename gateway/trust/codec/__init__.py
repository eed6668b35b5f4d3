"""Reads and writes directory, node card and permission table."""
