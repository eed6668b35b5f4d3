"""Holds a node to one history: marks outside the database, recovery, what a restore means."""
