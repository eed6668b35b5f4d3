"""Stores which alerts and shipments name what."""
