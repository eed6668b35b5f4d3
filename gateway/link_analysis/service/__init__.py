"""Indexes what alerts and shipments name, and puts link graphs together."""
