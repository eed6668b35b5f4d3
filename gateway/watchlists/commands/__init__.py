"""Commands for proposals, imports, hits, matches and expiry."""
