"""What is written: proposals, imports, hits, matches, and what ends by itself."""
