"""Copies own findings on alerts into the inspected records, and drafts alerts of a trace."""
