"""What files are taken, the states that they go through, and how much of one is asked for at once: pure."""
