"""Renders a trace as a report: one HTML file with drawings and tables."""
