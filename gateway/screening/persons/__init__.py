"""Reads and compares persons' names."""
