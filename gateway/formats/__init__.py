"""Files that people have: lists, shipments, declarations, alerts."""
