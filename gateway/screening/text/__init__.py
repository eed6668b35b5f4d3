"""Handles letters, sounds and romanisations, below the reading of names."""
