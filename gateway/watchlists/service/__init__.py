"""Lists read, parties screened, matches found."""
