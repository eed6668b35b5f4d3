"""Reads watchlists from users' files and writes them."""
