"""`gateway person`."""
