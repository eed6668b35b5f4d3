"""Lists Western given names of Chinese people that could be syllables; other words that aren't syllables are Western
unlisted.
"""

from importlib import resources

WESTERN = frozenset(
    resources.files("gateway.reference").joinpath("western_given_names.txt").read_text(encoding="utf-8").split()
)
