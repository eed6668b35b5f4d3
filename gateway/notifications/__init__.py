"""Tells persons and systems what has happened and what is due."""
