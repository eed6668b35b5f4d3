"""Keys, signers and certificates; not the formats they sign (see tlog)."""
