"""Directory, node card and permission table as text."""
