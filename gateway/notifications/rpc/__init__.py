"""Serves notifications, and sends them by e-mail, webhook and to the outbox."""
