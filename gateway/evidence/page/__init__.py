"""Evidence of an alert as one HTML page that verifies it in a browser."""
