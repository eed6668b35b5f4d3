"""`gateway risk-profile`: own risk profiles and those of partners."""
