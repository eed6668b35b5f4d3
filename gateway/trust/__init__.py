"""Manages certificates, keys, the directory, agreements, disclosure, permissions and the audit log."""
