"""Passwords, keys and the identity provider."""
