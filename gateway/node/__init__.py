"""Settings, assembly and run: the only place where objects are put together."""
