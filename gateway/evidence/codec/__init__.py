"""Bundles of evidence as files, and their texts."""
