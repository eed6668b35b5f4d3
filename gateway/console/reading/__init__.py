"""Files that persons upload, read in a process of their own."""
