"""Evidence exported and verified; the database verified."""
