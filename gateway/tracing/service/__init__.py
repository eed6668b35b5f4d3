"""Own findings on alerts, copied into the inspected records."""
