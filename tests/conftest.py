"""For all tests."""

# Before any test module imports gRPC: it reads the TLS floor while it is imported.
import gateway  # noqa: F401
from tests.support.databases import database, make_database, make_empty_database, postgres_url

__all__ = ["database", "make_database", "make_empty_database", "postgres_url"]
