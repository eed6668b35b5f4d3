"""Makes pictures that are safe to show of files that strangers made, in a process that can do nothing else."""
