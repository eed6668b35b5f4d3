"""The customs gateway: signed alerts, watchlists and shipment history exchanged between customs authorities."""

# First of all, since gRPC reads the TLS floor while it is imported.
from gateway.tls import floor as _floor  # noqa: F401

__version__ = "0.2.0"
