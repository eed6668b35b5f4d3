"""Pure rules as frozen dataclasses: no I/O, no clock, no randomness."""
