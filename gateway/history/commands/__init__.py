"""Commands that record, hold and erase."""
