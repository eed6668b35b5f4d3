"""Traces one consignment through the records of several authorities."""
