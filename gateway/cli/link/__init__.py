"""`gateway link`."""
