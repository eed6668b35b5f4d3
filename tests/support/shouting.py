"""A language by which a test sees what is said in the reader's language, and what stays."""

from __future__ import annotations

import gettext
import re


class Shouting(gettext.NullTranslations):
    """All letters are capitals, and placeholders stay; texts with a number stay too."""

    def gettext(self, message: str) -> str:
        return re.sub(r"(\{[^}]*\})|([^{]+)", lambda part: part[1] or part[2].upper(), message)


class ShoutingNumbers(Shouting):
    """Texts with a number are shouted too."""

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        return self.gettext(singular if number == 1 else plural)
