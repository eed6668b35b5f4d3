"""The facts that rules ask for: of goods items, shipments, pairs, series and whole consignments."""
