"""Scenes of shown commands for risk profiles: each finds a profile of its own, or a change that waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from google.protobuf.json_format import MessageToJson

from tests.support.command_kit import PATIENCE_S, CommandKit
from tests.support.persons import new_name
from tests.support.risk_profiles import profile
from tests.support.shown_call import Call

Scene = Callable[[CommandKit, Call, Path], None]

FILE = "profile.json"


def _approved(kit: CommandKit, node: str, cwd: Path, *words: str) -> None:
    """A change by the analysts that the supervisors have approved."""
    proposal = kit.json(node, "risk-profile", *words, "--system", "officers", cwd=cwd)["proposal_id"]
    kit.json(node, "risk-profile", "approve", proposal, "--system", "supervisors", cwd=cwd)


def new_profile(_: CommandKit, call: Call, cwd: Path) -> None:
    """The file of a profile that isn't offered yet."""
    profile_id = f"P-{new_name()}".upper()[:24]
    (cwd / FILE).write_text(MessageToJson(profile(profile_id=profile_id)), encoding="utf-8")


def _offered(kit: CommandKit, call: Call, cwd: Path) -> str:
    """Id of a new profile of cn that hk has."""
    new_profile(kit, call, cwd)
    _approved(kit, "cn", cwd, "offer", FILE)
    profile_id = _id_in(cwd)
    deadline = time.monotonic() + PATIENCE_S
    while profile_id not in str(kit.json("hk", "risk-profile", "list", "--limit", "0", "--system", "officers")):
        assert time.monotonic() < deadline, f"hk doesn't get {profile_id}"
        time.sleep(0.1)
    return profile_id


def _id_in(cwd: Path) -> str:
    text = (cwd / FILE).read_text(encoding="utf-8")
    return text.split('"profileId": "')[1].split('"')[0]


def own(kit: CommandKit, call: Call, cwd: Path) -> None:
    call.arguments[0] = _offered(kit, call, cwd)


def offered(kit: CommandKit, call: Call, cwd: Path) -> None:
    """A profile of cn at hk, whose parameter is as the text says."""
    call.node, call.arguments[0] = "hk", f"cn/{_offered(kit, call, cwd)}"
    if call.has("--set"):
        call.set("--set", "least_kg=2000")


def adopted(kit: CommandKit, call: Call, cwd: Path) -> None:
    offered(kit, call, cwd)
    _approved(kit, "hk", cwd, "adopt", call.arguments[0])


def waiting(kit: CommandKit, call: Call, cwd: Path) -> None:
    """An adoption at hk that waits."""
    name = f"cn/{_offered(kit, call, cwd)}"
    call.node = "hk"
    proposed = kit.json("hk", "risk-profile", "adopt", name, "--system", "officers", cwd=cwd)
    call.arguments[0] = proposed["proposal_id"]


SCENES: Mapping[tuple[str, ...], Scene] = {
    ("risk-profile", "adopt"): offered,
    ("risk-profile", "approve"): waiting,
    ("risk-profile", "end"): adopted,
    ("risk-profile", "offer"): new_profile,
    ("risk-profile", "reject"): waiting,
    ("risk-profile", "report"): adopted,
    ("risk-profile", "show"): offered,
    ("risk-profile", "try"): offered,
    ("risk-profile", "withdraw"): own,
}
