"""Risk rules as data: discrepancies in a shipment or a whole consignment. Entry point: `rule_engine.RuleEngine`."""
