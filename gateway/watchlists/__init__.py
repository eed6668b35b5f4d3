"""Watchlists: approval, distribution, screening, matches."""
