"""Evidence: exported, verified offline; the whole database verified."""
