"""Risk rules: what in a shipment, or in a whole consignment, doesn't add up, by rules that are data.

Owns the facts that rules ask for (`kinds` lists them; `goods`, `shipments`, `consignments` find them), the rules file
(`rule_file`), the expression language (`expressions`) and what a rule that fired says (`discrepancies`). `rules.Rules`
is the way in. Doesn't own the judgement, which stands in the rules as CEL conditions over thresholds, and doesn't
assemble consignments or store anything. No clock: the time comes in.
"""
