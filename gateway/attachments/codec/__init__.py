"""Writes the classes of information of a file as text."""
