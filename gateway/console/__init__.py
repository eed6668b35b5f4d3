"""The web pages of officers and operators, a process of its own that is a client of its gateway."""
