"""Applies risk rules to a shipment or a whole consignment, with `rule_engine.RuleEngine`."""
