"""The index of recorded shipments: built, and built again."""
