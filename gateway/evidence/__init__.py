"""Exports evidence, verifies it offline, and verifies the whole database."""
