"""Recorded shipments, their keys, and the signed texts of questions and answers."""
