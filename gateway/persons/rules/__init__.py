"""Rules of persons: accounts, lock-out, sessions, assertions, pseudonyms. Pure."""
