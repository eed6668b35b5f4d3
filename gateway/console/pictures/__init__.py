"""Draws pictures for pages: values in, SVG text and an equal table out; no I/O but packaged data."""
