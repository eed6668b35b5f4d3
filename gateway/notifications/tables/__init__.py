"""Stores notifications, rules, deliveries, warnings of deadlines and cursors."""
