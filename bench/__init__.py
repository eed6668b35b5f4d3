"""Measures the product beside its floors. Owns nothing of the product; `python -m bench` runs it (see README.md)."""

import gateway  # noqa: F401  # first of all: it sets the TLS floor, which must be there before gRPC is imported
