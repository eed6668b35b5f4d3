"""Shows tables and facts in a terminal: what fits, in which order, how ids and times are cut."""
