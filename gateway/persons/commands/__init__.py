"""Changes of accounts, sessions and grants, each in a writer's transaction."""
