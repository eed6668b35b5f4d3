"""Decides, with reasons, whether two names may mean the same party, across scripts and romanisations."""
