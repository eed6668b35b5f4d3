"""What a node needs of its machine: descriptors, file modes, environment."""
