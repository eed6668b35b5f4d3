"""Risk rules: what in a shipment, or in a whole consignment, doesn't add up, by rules that are data.

`rules.Rules` is the way in. No clock: the time comes in.
"""
