"""Risk profile events: bytes to values and back."""
