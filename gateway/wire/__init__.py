"""Bytes to model and back: parsing, limits, validation, disclosure."""
