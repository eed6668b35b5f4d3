"""Checks a node before its start or while it runs, for `gateway doctor`."""
