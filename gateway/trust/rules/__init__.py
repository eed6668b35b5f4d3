"""The rules of trust as frozen values: directory, permissions, disclosure, audit chain."""
