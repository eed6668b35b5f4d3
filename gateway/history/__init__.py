"""Shipment history: recorded, indexed, searched, and asked of partners."""
