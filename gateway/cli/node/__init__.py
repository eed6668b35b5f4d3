"""`gateway node`."""
