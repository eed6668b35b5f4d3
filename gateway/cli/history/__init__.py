"""`gateway history`."""
