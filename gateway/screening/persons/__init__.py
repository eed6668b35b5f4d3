"""Persons' names: read and compared."""
