"""The console in a real browser: three gateways, three consoles, persons, and a guard over every page."""
