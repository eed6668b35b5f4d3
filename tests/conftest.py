"""For all tests."""

# Before any test module imports gRPC: it reads the TLS floor while it is imported.
import gateway  # noqa: F401
