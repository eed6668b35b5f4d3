"""The customs gateway: signed alerts, watchlists and shipment history exchanged between customs authorities."""

# First of all, for whoever imports gRPC after us: it reads the TLS floor while it is imported.
from gateway import tls_floor as _tls_floor  # noqa: F401

__version__ = "0.1.0"
