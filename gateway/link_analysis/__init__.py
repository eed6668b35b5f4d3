"""Parties, vehicles, containers and addresses that records connect, as a graph."""
