"""Exchanges feeds with partners over gRPC."""
