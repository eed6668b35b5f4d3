"""`gateway evidence`."""
