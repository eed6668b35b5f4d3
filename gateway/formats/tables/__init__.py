"""The table engine: CSV lines, cells, and the mapping files that name their columns."""
