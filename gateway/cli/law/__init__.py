"""`gateway law`: export control as the lists of this installation have it."""
