"""Transparency-log formats: bytes in, bytes out; no I/O, no clock, no randomness."""
