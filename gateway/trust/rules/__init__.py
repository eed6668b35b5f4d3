"""Defines directory, permissions, disclosure and audit chain as frozen values."""
