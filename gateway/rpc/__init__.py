"""gRPC: servers, TLS, authentication, limits and errors on the wire."""
