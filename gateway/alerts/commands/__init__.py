"""Executes own systems' requests on alerts."""
