"""Western given names that Chinese people carry, where a name of that spelling could also be read as syllables.

A word that can't be read as syllables counts as a Western name without being listed.
"""

from importlib import resources

WESTERN = frozenset(
    resources.files("gateway.reference").joinpath("western_given_names.txt").read_text(encoding="utf-8").split()
)
