"""Attacks on running nodes, at full size; `tests/faults` runs them small.

An attack is a function and a row of `registry.ATTACKS`. `python -m bench.attacks` (`make attack`) runs each against a
node, and as its control against another node of the same size, while well-behaved callers use the first one.
"""
