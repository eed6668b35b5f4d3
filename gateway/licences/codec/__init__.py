"""Licence events: bytes to values and back."""
