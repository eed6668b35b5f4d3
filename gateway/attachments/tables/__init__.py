"""Statements on evidence files, on what is fetched from partners and what went to them."""
