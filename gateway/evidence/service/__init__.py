"""Exports and verifies evidence, and verifies the database."""
