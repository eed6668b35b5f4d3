"""Identifiers, code lists and commodity codes."""
