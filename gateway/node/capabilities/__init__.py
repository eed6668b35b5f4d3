"""What a node does only where its settings turn it on, each put together in a module of its own."""
