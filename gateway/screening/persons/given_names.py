"""Western given names of Chinese people that could also be read as syllables. Other words that aren't syllables count
as Western without being listed."""

from importlib import resources

WESTERN = frozenset(
    resources.files("gateway.reference").joinpath("western_given_names.txt").read_text(encoding="utf-8").split()
)
