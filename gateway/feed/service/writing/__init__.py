"""Makes durable transactions of commands, one after the other."""
