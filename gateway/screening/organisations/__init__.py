"""Reads and compares organisations' names."""
