"""Reads lists, screens parties and finds matches."""
