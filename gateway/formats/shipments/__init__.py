"""Shipments in files, as docs/shipment-formats.md describes them."""
