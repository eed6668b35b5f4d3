"""The contract's own rules, shared by client and node: limits, names, identifiers, validation, JSON. No I/O."""
