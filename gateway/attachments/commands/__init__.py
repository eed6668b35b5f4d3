"""Changes of what is known of files, each in one transaction."""
