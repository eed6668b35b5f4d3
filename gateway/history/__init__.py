"""Records, indexes and searches shipments, here and at partners."""
