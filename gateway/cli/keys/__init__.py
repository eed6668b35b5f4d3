"""`gateway keys`."""
