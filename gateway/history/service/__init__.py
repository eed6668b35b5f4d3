"""Searches, queries to partners, and answers to theirs."""
