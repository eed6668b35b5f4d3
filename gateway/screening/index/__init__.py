"""The index of names in memory."""
