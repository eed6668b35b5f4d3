"""What a node shows of itself to the outside: metrics and traces."""
