"""Shows people text in their language; English is the source."""
