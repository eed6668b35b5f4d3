"""Finds facts for rules: goods items, shipments, pairs, series, consignments."""
