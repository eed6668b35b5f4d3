"""Shipment history over gRPC, and the loops and processes behind it."""
