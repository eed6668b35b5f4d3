"""Statements on risk profiles."""
