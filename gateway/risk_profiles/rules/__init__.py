"""Which small numbers a report withholds; pure."""
