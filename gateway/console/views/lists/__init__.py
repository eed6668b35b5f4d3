"""Watchlists, their imports and matches, as pages show them."""
