"""Contract rules shared by client and node. No I/O."""
