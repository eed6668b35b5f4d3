"""Evidence: exported, verified offline, and the whole database looked over."""
