"""Searches, questions to partners and answers to theirs."""
