"""Reads shipments from files, as docs/shipment-formats.md describes them."""
