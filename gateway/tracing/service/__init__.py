"""Own findings on alerts, brought into the records that were inspected."""
