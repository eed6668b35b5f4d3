"""Counts what came of alerts and lists, by month, partner and typology."""
