"""Text before names are read from it: letters, sounds and romanisations."""
