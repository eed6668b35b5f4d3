"""Pure rules of shipment history."""
