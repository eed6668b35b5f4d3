"""Tables of persons, sessions and challenges."""
