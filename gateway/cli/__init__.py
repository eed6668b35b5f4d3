"""The gateway command: one command, one function."""
