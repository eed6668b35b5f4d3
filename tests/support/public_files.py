"""Two public files that formats were made for: whole where they lie beside the repository, else samples of our own.

What a test expects of either is said here, so that it asks the same of both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
_SHARED = Path(os.environ.get("GATEWAY_SHARED", _REPOSITORY.parent / "shared"))
REFERENCE = _REPOSITORY / "tests" / "reference"


@dataclass(frozen=True, kw_only=True)
class Declarations:
    """Import declarations, a line each.

    Attributes:
        lines: declarations.
        listed: those whose code is under control on 2026-01-15; on its own day none is.
        of_mainland: those of the listed that come from the mainland.
        modes: declarations by mode of transport, as the contract numbers them; 0: not known.
        first_id, last_id: of the first and of the last line.
        declarant: a declarant of several lines, and of how many.
    """

    path: Path
    whole: bool
    lines: int
    listed: int
    of_mainland: int
    modes: Mapping[int, int]
    first_id: str
    last_id: str
    declarant: tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class UnList:
    """A list in the United Nations' form.

    Attributes:
        named_in_sentences: identifiers that stand in remarks, by scheme.
        telephones, territories, with_territory, expiring: at least so many telephone numbers, names of territories, and
            identifiers with a territory and with a day of expiry.
        not_understood: numbers in remarks that stay without a known meaning.
        between: birth dates between two years.
        in_half: at least so many entries stand in the first half of the file.
    """

    path: Path
    whole: bool
    persons: int
    organisations: int
    named_in_sentences: Mapping[str, int]
    telephones: int
    territories: int
    with_territory: int
    expiring: int
    not_understood: int
    between: int
    in_half: int

    @property
    def entries(self) -> int:
        return self.persons + self.organisations


DECLARATIONS_SAMPLE = Declarations(
    path=REFERENCE / "import_declarations.csv",
    whole=False,
    lines=60,
    listed=10,
    of_mainland=6,
    modes={1: 29, 4: 25, 5: 2, 3: 1, 2: 1, 0: 2},
    first_id="70000001",
    last_id="70000060",
    declarant=("SAMPD04", 9),
)
_DECLARATIONS = Declarations(
    path=_SHARED / "data" / "real" / "import_declarations.csv",
    whole=True,
    lines=8_481,
    listed=139,
    of_mainland=50,
    modes={1: 4_948, 4: 3_342, 5: 149, 3: 17, 2: 1, 0: 24},  # 90: not known
    first_id="41256141",
    last_id="24376062",
    declarant=("DWNJQL8", 248),
)
DECLARATIONS = _DECLARATIONS if _DECLARATIONS.path.is_file() else DECLARATIONS_SAMPLE

_UN_SAMPLE = UnList(
    path=REFERENCE / "un_list.xml",
    whole=False,
    persons=24,
    organisations=8,
    named_in_sentences={"imo_company": 2, "swift_bic": 4, "email": 8, "fax": 8},
    telephones=8,
    territories=14,
    with_territory=20,
    expiring=12,
    not_understood=0,
    between=6,
    in_half=12,
)
_UN_LIST = UnList(
    path=_SHARED / "data" / "real" / "un_consolidated.xml",
    whole=True,
    persons=730,
    organisations=273,
    named_in_sentences={"imo_company": 16, "swift_bic": 5, "email": 15, "fax": 7},
    telephones=20,
    territories=71,
    with_territory=250,
    expiring=60,
    not_understood=1,
    between=31,
    in_half=301,
)
UN_LIST = _UN_LIST if _UN_LIST.path.is_file() else _UN_SAMPLE

_LONG = 1_010
"""Entries; a message has 500 of them."""


def write_long_list(path: Path) -> int:
    """Writes a list of several messages, and returns how many entries it has.

    It is the whole list, or the sample with its persons over and over, under further references.
    """
    text = UN_LIST.path.read_text(encoding="utf-8")
    if UN_LIST.whole:
        path.write_text(text, encoding="utf-8")
        return UN_LIST.entries
    rounds = _LONG // UN_LIST.persons
    before, persons, after = re.split(r"(?<=<INDIVIDUALS>\n)|(?=  </INDIVIDUALS>)", text)
    again = (persons.replace("</REFERENCE_NUMBER>", f"-{number}</REFERENCE_NUMBER>") for number in range(1, rounds))
    path.write_text("".join((before, persons, *again, after)), encoding="utf-8")
    return UN_LIST.entries + (rounds - 1) * UN_LIST.persons


def sampled() -> str:
    """One line on the public files that weren't there; empty when both were."""
    missing = [file.path.name for file in (_DECLARATIONS, _UN_LIST) if not file.path.is_file()]
    if not missing:
        return ""
    return f"NOT WHOLE: samples stood in for {' and '.join(missing)} (tests/reference/README.md)."
