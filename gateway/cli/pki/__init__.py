"""`gateway pki`."""
