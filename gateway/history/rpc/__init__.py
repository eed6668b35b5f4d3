"""Shipment history over gRPC, with its loops and worker processes."""
