"""What an authority's officers keep to themselves: assignments, notes, saved views, and their inbox."""
