"""A risk profile among three running gateways: offered, tried, adopted, hit, reported on and withdrawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson

from gateway.contract.messages import to_timestamp
from gateway.trust.rules.directory import MessageType
from gateway.v1 import alert_pb2
from tests.support.command_line import Cli
from tests.support.federation import Federation, with_logs
from tests.support.risk_profiles import HOSTILE, profile
from tests.support.shipments import shipment

SETTINGS = {
    "cn": "\n[risk_profiles]\nfour_eyes = false\n",
    "hk": "\n[risk_profiles]\nleast_count = 3\n",
}
NAME = "cn/HEAVY-ZINC"
RULE = "cn.HEAVY-ZINC"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("profiles"), settings_of=lambda node: SETTINGS.get(node, "")):
        directory = made.directory
        agreements = tuple(
            replace(one, message_types=one.message_types - {MessageType.RISK_PROFILE_EVENT})
            if "mo" in (one.sender, one.recipient)
            else one
            for one in directory.agreements
        )
        made.put_directory(replace(directory, version=directory.version + 1, agreements=agreements))
        made.start()
        yield made


def offered(folder: Path, **changes: Any) -> Path:
    file = folder / "profile.json"
    file.write_text(MessageToJson(profile(**changes)), encoding="utf-8")
    return file


def recorded(hk: Cli, *numbers: int, kg: float = 20_000, confirmed: bool | None = None) -> None:
    """Records of zinc at hk."""
    lines = []
    for number in numbers:
        made = shipment(f"HK-{number}")
        made.goods[0].net_mass_kg, made.goods[0].gross_mass_kg = kg, kg + 400
        if confirmed is not None:
            result = alert_pb2.FINDING_RESULT_CONFIRMED if confirmed else alert_pb2.FINDING_RESULT_AS_DECLARED
            made.inspections.add(result=result, inspected_at=to_timestamp(int(datetime.now(UTC).timestamp() * 1000)))
        lines.append(MessageToJson(made, indent=None, preserving_proto_field_name=True))
    text = "\n".join(lines) + "\n"
    hk.run("publisher", "history", "import", "-", "--format", "jsonl", text=text)


def adopt(hk: Cli, *words: str) -> None:
    """Adopts with four eyes."""
    hk.run("analyst", "risk-profile", "adopt", NAME, *words)
    (proposal,) = hk.run("supervisor", "risk-profile", "proposals", "--names").stdout.split()
    hk.run("supervisor", "risk-profile", "approve", proposal[:18])


def test_from_offer_to_withdrawal(nodes: Federation, tmp_path: Path) -> None:
    cn, hk, mo = (Cli(nodes, name) for name in ("cn", "hk", "mo"))
    recorded(hk, 1, 2, 3, 4)
    recorded(hk, 5, kg=2_000)
    cn.run("supervisor", "risk-profile", "offer", offered(tmp_path))
    refused = cn.run(
        "supervisor", "risk-profile", "offer", offered(tmp_path, profile_id="P", recipients=["mo"]), code=2
    )
    assert "no agreement lets cn send RiskProfileEvent to mo" in refused.output

    # Tried before it is adopted: it says what it would have hit, and leaves nothing.
    hk.eventually("analyst", "risk-profile", "list", until=lambda listed: listed)
    shown = hk.run("analyst", "risk-profile", "show", NAME).stdout
    assert "net_kg > t.least_kg" in shown
    assert "10000 (1000–100000) kg" in shown
    tried = hk.eventually("analyst", "risk-profile", "try", NAME, until=lambda one: int(one["records"]) == 5)
    assert (int(tried["hits"]), tried["complete"]) == (4, True)
    assert sorted(tried["record_ids"]) == ["HK-1", "HK-2", "HK-3", "HK-4"]
    other = hk.json("analyst", "risk-profile", "try", NAME, "--set", "least_kg=1000")
    assert int(other["hits"]) == 5
    hk.run("analyst", "risk-profile", "try", NAME, "--set", "least_kg=1", code=2)
    assert hk.json("analyst", "history", "risks", "--rule", RULE) == []

    # Adopted with own values by two persons, also after a restart.
    adopt(hk, "--set", "least_kg=15000")
    nodes["hk"].stop()
    nodes["hk"].start()
    recorded(hk, 11, 12, 13, confirmed=True)
    recorded(hk, 14, 15)
    recorded(hk, 16, kg=12_000)
    hits = hk.eventually("analyst", "history", "risks", "--rule", RULE, until=lambda found: len(found) == 5)
    discrepancy = hits[0]["discrepancy"]
    assert discrepancy["rule_version"].startswith("1+")
    assert discrepancy["thresholds"] == {"least_kg": "15000"}
    assert "more than 15000" in discrepancy["explanation"]
    (rule,) = hk.json("analyst", "history", "rules", RULE)["rules"]
    assert (int(rule["outcomes"]["hits"]), int(rule["outcomes"]["confirmed"])) == (5, 3)

    # A new version is shown as new; the adopted one goes on.
    cn.run("supervisor", "risk-profile", "offer", offered(tmp_path, version=2, title="Heavier zinc"))
    hk.eventually("analyst", "risk-profile", "list", until=lambda listed: listed[0]["newest"]["version"] == 2)
    assert "new: 2" in hk.run("analyst", "risk-profile", "list").stdout
    recorded(hk, 17)
    hits = hk.eventually("analyst", "history", "risks", "--rule", RULE, until=lambda found: len(found) == 6)
    assert hits[0]["discrepancy"]["rule_version"].startswith("1+")

    _report_and_withdraw(cn, hk)
    assert mo.json("analyst", "risk-profile", "list") == []
    assert "risk-profiles" not in mo.run("operator", "link", "list").stdout


def _report_and_withdraw(cn: Cli, hk: Cli) -> None:
    """What came of it goes back; after the withdrawal nothing is hit any more."""
    report = hk.eventually(
        "analyst", "risk-profile", "report", NAME, until=lambda made: int(made["report"]["records"]) == 7
    )["report"]
    numbers = {name: int(report[name]) for name in ("records", "hits", "confirmed", "unfounded")}
    assert numbers == {"records": 7, "hits": 6, "confirmed": 3, "unfounded": 0}

    def reported(found: Any) -> bool:
        return any("report" in use for use in found["profile"]["uses"])

    found = cn.eventually("analyst", "risk-profile", "show", "HEAVY-ZINC", until=reported)
    (use,) = found["profile"]["uses"]
    assert use["node"] == "hk"
    assert use["adoption"]["values"] == {}, "own values stay at hk"
    assert use["report"] == report
    shown = cn.run("analyst", "risk-profile", "show", "HEAVY-ZINC").stdout
    assert "6 (85.71%)" in shown
    assert "3 (100%)" in shown
    cn.run("supervisor", "risk-profile", "withdraw", "HEAVY-ZINC", "--reason", "The pattern has changed")
    hk.eventually("analyst", "risk-profile", "list", until=lambda listed: "withdrawal" in listed[0])
    assert "The pattern has changed" in hk.run("analyst", "risk-profile", "show", NAME).stdout
    recorded(hk, 21)
    hk.run("analyst", "history", "show", "HK-21", "--wait-indexed", "60")
    hk.eventually(
        "analyst", "history", "rules", until=lambda found: RULE not in {rule["rule_id"] for rule in found["rules"]}
    )
    hits = hk.json("analyst", "history", "risks", "--rule", RULE)
    assert "HK-21" not in {hit["record_id"] for hit in hits}
    hk.run("analyst", "risk-profile", "report", NAME, code=2)


@pytest.mark.parametrize("why", HOSTILE)
def test_a_hostile_profile_is_refused(nodes: Federation, tmp_path: Path, why: str) -> None:
    cn = Cli(nodes, "cn")
    file = offered(tmp_path, profile_id="HOSTILE", condition=HOSTILE[why])
    refused = cn.run("supervisor", "risk-profile", "offer", file, "--json", code=2)
    assert "profile.condition" in refused.output
    assert "HOSTILE" not in json.dumps(cn.json("analyst", "risk-profile", "list"))
