"""The officers' screens (later issues); nothing else lives here."""
