"""Reads CSV lines and cells, and the mapping files for their columns."""
