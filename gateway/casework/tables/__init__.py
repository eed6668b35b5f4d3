"""Stores the inbox, the search index, and what colleagues do."""
