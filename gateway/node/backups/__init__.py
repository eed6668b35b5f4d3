"""Backs up and restores a node: copies of its database, their manifests, and what a restore loses."""
