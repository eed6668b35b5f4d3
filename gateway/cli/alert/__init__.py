"""`gateway alert`."""
