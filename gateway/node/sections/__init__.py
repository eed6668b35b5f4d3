"""Tables of the settings, each with its limits and what it turns on."""
