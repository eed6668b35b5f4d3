"""The customs gateway: signed alerts, watchlists and shipment history exchanged between customs authorities."""

__version__ = "0.1.0"
