"""The web console of officers and operators; nothing here yet."""
