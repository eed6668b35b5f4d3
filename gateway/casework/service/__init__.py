"""Answers questions about the inbox and cases."""
