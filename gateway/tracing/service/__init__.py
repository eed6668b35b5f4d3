"""Copies own findings on alerts into the inspected records."""
