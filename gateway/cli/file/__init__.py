"""`gateway file`: evidence files."""
