"""What is kept: schema, database and one module per aggregate; not the rules (see services)."""
