"""Opens the handlers of a node's worker processes; a module each, so that none imports what another process needs."""
