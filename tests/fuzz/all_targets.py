"""All targets: importing this module fills the registry."""

from tests.fuzz import contract, evidence, formats, lists, messages, names, notes, trust
from tests.fuzz.target import TARGETS

__all__ = ["TARGETS", "contract", "evidence", "formats", "lists", "messages", "names", "notes", "trust"]
