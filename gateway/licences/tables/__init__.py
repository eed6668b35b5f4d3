"""Statements on licences."""
