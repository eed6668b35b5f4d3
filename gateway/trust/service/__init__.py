"""Accepts and drafts directory versions, applies agreements, queues audit events."""
