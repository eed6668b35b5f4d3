"""Counts steps of alerts, and answers with figures and publication sheets."""
