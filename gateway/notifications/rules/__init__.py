"""Decides who is told what, when a deadline is warned of, and when a failed delivery is tried again."""
