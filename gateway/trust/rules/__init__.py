"""Directory, permissions, disclosure and audit chain as frozen values."""
