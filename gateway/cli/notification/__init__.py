"""Commands of `gateway notification`."""
