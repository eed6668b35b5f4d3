"""Settings, assembly and run of a node."""
