"""One consignment put together from records of several authorities: what joins them, what to ask next, what to draft.

Pure functions over messages of the contract: no I/O, no clock, no randomness. Owns links, their strength and the order
of legs and events. Doesn't own who is asked or how (services), what doesn't add up (risk), or how it is shown.
"""
