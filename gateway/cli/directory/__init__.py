"""`gateway directory`."""
