"""Serialises list events, matches and screening messages."""
