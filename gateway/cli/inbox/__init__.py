"""`gateway inbox`."""
