"""The database: engine, transactions, prepared statements, schema and migrations."""
