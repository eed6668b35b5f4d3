"""Statements on feeds, the journal, requests and starts."""
