"""`gateway licence`."""
