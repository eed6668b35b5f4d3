"""Files to try the commands with: an alert, a watchlist, a shipment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.files import replace_file

ALERT, WATCHLIST, SHIPMENTS = "alert.json", "minerals.csv", "shipments.csv"

_VALID_DAYS = 30

_LIST = """\
id,kind,name,reason
M-1,organisation,"Example Metals, Limitada",Antimony declared as lead (placeholder)
"""

_RECORDS = """\
record_id,procedure,declared_at,office,ucr,containers,route,hs_code,description,net_mass_kg
CN-1,export,{declared},CNSZW,6CN-1,CSQU3054383,CNSZW;HKHKG,8110101000@CN,antimony ingots,20000
"""


def write_samples(folder: Path, now: datetime) -> None:
    """Writes the files into a folder; `now` has its zone."""
    texts = {
        ALERT: json.dumps(_alert(now), indent=2) + "\n",
        WATCHLIST: _LIST,
        SHIPMENTS: _RECORDS.format(declared=(now - timedelta(days=1)).isoformat(timespec="seconds")),
    }
    for name, text in texts.items():
        replace_file(folder / name, text.encode())


def _alert(now: datetime) -> dict[str, object]:
    valid_until = (now + timedelta(days=_VALID_DAYS)).astimezone(UTC)
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
        "valid_until": valid_until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
