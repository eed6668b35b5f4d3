"""Recorded shipments, their keys, and the signed texts of queries and answers."""
