"""Makes and loads X.509 certificates and signing keys."""
