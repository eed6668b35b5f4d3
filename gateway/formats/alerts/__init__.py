"""Alerts in CSV and JSON lines."""
