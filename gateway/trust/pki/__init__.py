"""X.509 certificates, signing keys and the files that hold them."""
