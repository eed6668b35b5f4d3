"""Tracing: one consignment put together from several authorities' records."""
