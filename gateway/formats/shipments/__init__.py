"""Shipments in files: readers that give items to record one after another, and what is wrong with the rest.

docs/shipment-formats.md describes the formats.
"""
