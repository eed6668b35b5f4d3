"""Feeds over gRPC: links, the exchange service, and the way to the writer."""
