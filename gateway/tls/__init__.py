"""TLS for both ends of a connection: the floor, certificates, key files, and credentials that change while in use."""
