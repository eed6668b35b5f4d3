"""List events, matches and screening messages, to bytes and back."""
