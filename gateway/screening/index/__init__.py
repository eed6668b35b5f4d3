"""The index of names: finds the entries that a party may be, in memory."""
