"""Serves watchlists over gRPC and runs the screening process."""
