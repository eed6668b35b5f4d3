"""Feeds: append-only Merkle logs between two authorities, written, sent, received and recovered."""
