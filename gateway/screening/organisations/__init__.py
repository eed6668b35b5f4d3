"""Organisations' names: read and compared."""
