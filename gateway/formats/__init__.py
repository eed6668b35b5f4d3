"""Reads and writes users' files: lists, shipments, declarations, alerts."""
