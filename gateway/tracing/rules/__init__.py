"""What links records, what to ask next, and what to draft: pure."""
