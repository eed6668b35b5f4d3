"""Pure rules of watchlists: policies, visibility, matches."""
