"""Stores projected alerts: copies and steps."""
