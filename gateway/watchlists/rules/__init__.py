"""Rules of policies, visibility and matches."""
