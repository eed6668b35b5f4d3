"""Serves risk profiles over gRPC."""
