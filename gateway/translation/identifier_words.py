"""What schemes of identifiers are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.contract.identification.identifiers import Scheme
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

_SCHEMES: Final[Mapping[str, str]] = {
    Scheme.CN_CROSS_BORDER_PLATE: N_("mainland cross-border plate"),
    Scheme.HK_VEHICLE_PLATE: N_("Hong Kong plate"),
    Scheme.MO_VEHICLE_PLATE: N_("Macao plate"),
    Scheme.CN_CUSTOMS_REGISTRATION: N_("mainland customs registration"),
    Scheme.CN_RESIDENT_ID: N_("mainland identity card"),
    Scheme.HK_ID: N_("Hong Kong identity card"),
    Scheme.MO_RESIDENT_ID: N_("Macao identity card"),
    Scheme.HK_BUSINESS_REGISTRATION: N_("Hong Kong business registration"),
    Scheme.HK_COMPANY_NUMBER: N_("Hong Kong company number"),
    Scheme.CN_USCC: N_("unified social credit code"),
    Scheme.IMO_SHIP: N_("IMO number"),
    Scheme.CONTAINER: N_("container"),
    Scheme.AIR_WAYBILL: N_("air waybill"),
    "passport": N_("passport"),
    "vehicle_plate": N_("plate"),
    "other": N_("other"),
}


def scheme_word(scheme: str) -> str:
    """A scheme of identifiers for people: a word where it isn't an abbreviation that all use."""
    word = _SCHEMES.get(scheme)
    return _(word) if word else scheme.replace("_", " ")
