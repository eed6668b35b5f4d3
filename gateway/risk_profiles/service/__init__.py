"""Reads risk profiles, tries them on own records, and counts what their hits came to."""
