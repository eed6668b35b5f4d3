"""Directory versions accepted and drafted, agreements applied, audit events queued."""
