"""Bundles of evidence as files, and what they say in words."""
