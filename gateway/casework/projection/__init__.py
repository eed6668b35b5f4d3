"""Builds and rebuilds the inbox and the search index."""
