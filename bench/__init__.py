"""Measures the product beside its floors."""

import gateway  # noqa: F401  # first of all: it sets the TLS floor, which must be there before gRPC is imported
