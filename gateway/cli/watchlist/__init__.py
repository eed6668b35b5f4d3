"""`gateway watchlist`."""
