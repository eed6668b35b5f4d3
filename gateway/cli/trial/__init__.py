"""`gateway trial`: three nodes on one machine, to try everything."""
