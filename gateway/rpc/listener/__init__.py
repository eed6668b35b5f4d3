"""Opens ports: servers, their options, TLS and health."""
