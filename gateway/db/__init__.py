"""Connects to the database: engine, transactions, prepared statements, schema and migrations."""
