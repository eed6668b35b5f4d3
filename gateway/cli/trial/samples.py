"""Files to try the commands with: alerts, a watchlist, a shipment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.files import replace_file

ALERT, ALERTS, WATCHLIST, SHIPMENTS = "alert.json", "alerts.csv", "minerals.csv", "shipments.csv"

_VALID_DAYS = 30

_ALERTS = """\
priority,typologies,containers,requested_action,legal_basis,purpose,case_reference,classification,onward_transfer,valid_until
B,concealment,MSCU1234566,inspect,Art. 7,export_control,CSV-1,official,prohibited,{valid_until}
C,transshipment,TEMU0000014,inform,Art. 7,export_control,CSV-1,official,prohibited,{valid_until}
"""

_LIST = """\
id,kind,name,reason
M-1,organisation,"Example Metals, Limitada",Antimony declared as lead (placeholder)
"""

_RECORDS = """\
record_id,procedure,declared_at,office,ucr,containers,route,hs_code,description,net_mass_kg,packages,package_volume_m3
CN-1,export,{declared},CNSZW,6CN-1,CSQU3054383,CNSZW;HKHKG,7801100000@CN,"Refined lead ingots, unwrought",20000,20,9.3
"""
"""The alert's goods as they were declared: cases far too light for lead."""


def write_samples(folder: Path, now: datetime) -> None:
    """Writes the files into a folder; `now` has its zone."""
    valid_until = (now + timedelta(days=_VALID_DAYS)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    texts = {
        ALERT: json.dumps(_alert(valid_until), indent=2) + "\n",
        ALERTS: _ALERTS.format(valid_until=valid_until),
        WATCHLIST: _LIST,
        SHIPMENTS: _RECORDS.format(declared=(now - timedelta(days=1)).isoformat(timespec="seconds")),
    }
    for name, text in texts.items():
        replace_file(folder / name, text.encode())


def _alert(valid_until: str) -> dict[str, object]:
    return {
        "priority": "PRIORITY_A",
        "typologies": ["false_declaration"],
        "subject": {"equipment": [{"id": "CSQU3054383", "seals": ["CN0012345"]}]},
        "goods": [
            {
                "declared_codes": [{"code": "780110", "scheme": "hs"}],
                "suspected_codes": [{"code": "811010", "scheme": "hs"}],
                "substance": "antimony ingots",
                "element": "Sb",
                "net_mass_kg": 20000,
            }
        ],
        "requested_action": "REQUESTED_ACTION_INSPECT",
        "legal_basis": "Example arrangement, article 7",
        "purpose": "export_control",
        "case_reference": "CN-2026-0117",
        "handling": {"classification": "CLASSIFICATION_RESTRICTED", "onward_transfer": "ONWARD_TRANSFER_PROHIBITED"},
        "valid_until": valid_until,
    }
