"""Watchlists over gRPC, and the process that holds the screening index."""
