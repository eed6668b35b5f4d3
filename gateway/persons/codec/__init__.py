"""Tokens, passkeys and messages of persons: bytes to values and back."""
