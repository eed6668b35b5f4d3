"""What is counted, how, and what may be published. Pure."""
