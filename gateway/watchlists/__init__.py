"""Watchlists: proposed, approved, distributed, screened against and matched."""
