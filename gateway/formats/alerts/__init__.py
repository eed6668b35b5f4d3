"""Reads alerts in CSV and JSON lines."""
