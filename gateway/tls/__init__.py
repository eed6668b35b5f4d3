"""TLS for both ends of a connection: the floor, certificates, keys in files, credentials that change while in use."""
