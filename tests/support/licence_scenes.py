"""Scenes of shown commands for export licences: each finds one of its own, or a change that waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from google.protobuf.json_format import MessageToJson

from tests.support.command_kit import CommandKit
from tests.support.licences import licence_content
from tests.support.persons import new_name
from tests.support.shown_call import Call

Scene = Callable[[CommandKit, Call, Path], None]

FILE = "licence.json"


def _proposed(kit: CommandKit, cwd: Path, number: str) -> str:
    """Id of a proposal of a new licence of cn for hk."""
    _files(cwd, number)
    words = ("licence", "publish", FILE, "--number", number, "--system", "risk-engine")
    return str(kit.json("cn", *words, cwd=cwd)["proposal_id"])


def _published(kit: CommandKit, cwd: Path) -> str:
    """Number of a new licence of cn for hk."""
    number = f"CN-{new_name()}"
    proposal = _proposed(kit, cwd, number)
    kit.json("cn", "licence", "approve", proposal, "--system", "supervisors", cwd=cwd)
    return number


def _files(cwd: Path, number: str) -> None:
    (cwd / FILE).write_text(MessageToJson(licence_content()), encoding="utf-8")
    rows = (
        "number,holder,quantity,unit,valid_from,valid_until,destinations",
        f"{number},Placeholder Smelter,1000,KGM,2026-01-01,2026-12-31,HK",
    )
    (cwd / "licences.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def new_number(_: CommandKit, call: Call, cwd: Path) -> None:
    """The file of a licence that isn't published yet."""
    number = f"CN-{new_name()}"
    _files(cwd, number)
    call.set("--number", number)


def known_number(kit: CommandKit, call: Call, cwd: Path) -> None:
    call.set("--number", _published(kit, cwd))


def known_licence(kit: CommandKit, call: Call, cwd: Path) -> None:
    """Named as it is written, with or without its issuer."""
    issuer = "cn/" if "/" in call.arguments[0] else ""
    call.arguments[0] = issuer + _published(kit, cwd)


def waiting(kit: CommandKit, call: Call, cwd: Path) -> None:
    call.arguments[0] = _proposed(kit, cwd, f"CN-{new_name()}")


SCENES: Mapping[tuple[str, ...], Scene] = {
    ("licence", "amend"): known_number,
    ("licence", "approve"): waiting,
    ("licence", "check"): known_licence,
    ("licence", "follow"): known_licence,
    ("licence", "import"): new_number,
    ("licence", "publish"): new_number,
    ("licence", "reject"): waiting,
    ("licence", "show"): known_licence,
    ("licence", "use"): known_licence,
    ("licence", "withdraw"): known_licence,
}
