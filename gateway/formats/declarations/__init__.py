"""Reads customs declarations in CSV files of any shape."""
