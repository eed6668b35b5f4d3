"""Serves CaseworkService."""
