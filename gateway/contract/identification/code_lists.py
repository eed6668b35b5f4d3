"""Code lists of countries and maritime identification digits, and commodity codes of the Harmonized System.

A missing code of a list costs only a notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.errors import MalformedError

_COUNTRIES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "
)

COUNTRIES = frozenset(_COUNTRIES.split())
"""ISO 3166-1 alpha-2 codes."""

LOCODE_AREAS = COUNTRIES | {"XK", "XZ"}
"""UN/LOCODE prefixes: countries, Kosovo, and XZ for international waters."""


def _ranges(text: str) -> Iterator[str]:
    for item in text.split():
        first, _, last = item.partition("-")
        yield from (str(number) for number in range(int(first), int(last or first) + 1))


WHOLE_TERRITORIES = frozenset({"HKHKG", "MOMFM"})
"""UN/LOCODEs that stand for all places of a territory."""

MARITIME_IDENTIFICATION_DIGITS = frozenset(
    _ranges(
        "201-216 218-220 224-259 261-279 "
        "301 303-312 314 316 319 321 323 325 327 329-332 334 336 338-339 341 343 345 347-348 350-359 361-362 364 "
        "366-379 "
        "401 403 405 408 410 412-414 416-417 419 422-423 425 428 431-432 434 436-438 440-441 443 445 447 450-451 453 "
        "455 457 459 461 463 466 468 470-473 475 477-478 "
        "501 503 506 508 510-512 514-516 518 520 523 525 529 531 533 536 538 540 542 544 546 548 550 553 555 557 559 "
        "561 563-567 570 572 574 576-578 "
        "601 603 605 607-613 615-622 624-627 629-638 642 644-645 647 649-650 654-657 659-672 674-679 "
        "701 710 720 725 730 735 740 745 750 755 760 765 770 775"
    )
)
"""Flag states in MMSIs (ITU table of maritime identification digits)."""


_CODE = re.compile(r"[0-9]{6}(?:[0-9]{2}){0,3}")


def normalise_code(code: str) -> str:
    """A commodity code's digits; raises MalformedError unless 6, 8, 10 or 12."""
    digits = code.replace(".", "").replace(" ", "")
    if _CODE.fullmatch(digits) is None:
        raise MalformedError(f"commodity code {code[:40]!r} must have 6, 8, 10 or 12 digits")
    return digits
