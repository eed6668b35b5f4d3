"""Calls of own systems and partners about files, and the loops that fetch, scan and remove them."""
