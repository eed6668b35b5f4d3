"""`gateway law show`: which controls applied on a day, from the packaged lists and from own ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app

ANTIMONY = "811010"
REFUSED = "MOFCOM No.46 of 2024, paragraph 2"


def shown(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["law", "show", *map(str, arguments)], env={"COLUMNS": "240", "LANGUAGE": "en"})
    assert result.exit_code == code, result.output
    return result.output


def facts(*arguments: object) -> dict[str, Any]:
    return dict(json.loads(shown(*arguments, "--json")))


def states(*arguments: object) -> dict[str, str]:
    return {
        ", ".join(filter(None, (row["announcement"], row["part"]))): row["state"]
        for row in facts(*arguments)["announcements"]
    }


@pytest.mark.parametrize(
    ("day", "controlled", "refused"),
    [
        ("2024-09-14", "not yet", "not yet"),
        ("2024-12-03", "in force", "in force"),
        ("2025-11-09", "in force", "suspended"),
        ("2026-11-28", "in force", "suspension ended, not verified"),
    ],
)
def test_a_code_has_the_controls_and_refusals_of_that_day(day: str, controlled: str, refused: str) -> None:
    read = facts(ANTIMONY, "--to", "US", "--on", day)
    assert {row["announcement"]: row["state"] for row in read["goods"]} == {"MOFCOM/GACC No.33 of 2024": controlled}
    assert states(ANTIMONY, "--to", "US", "--on", day)[REFUSED] == refused
    assert REFUSED not in states(ANTIMONY, "--to", "VN", "--on", day)


def test_a_suspension_stands_beside_what_it_suspends() -> None:
    of_holmium = states("--element", "Ho", "--on", "2026-11-10")
    assert of_holmium["MOFCOM/GACC No.57 of 2025"] == "suspended"
    assert of_holmium["MOFCOM/GACC No.70 of 2025"] == "in force"
    assert "MOFCOM/GACC No.33 of 2024" not in of_holmium


def test_people_read_sentences() -> None:
    read = " ".join(shown("--element", "Ho", "--on", "2026-11-11").split())
    assert "Goods under export control on 2026-11-11" in read
    assert "holmium metal" in read
    assert "it holds again, an extension is not known to this data" in read
    assert "no exports to military users or for military uses" in read


def test_without_a_code_all_announcements_are_shown() -> None:
    read = facts("--on", "2026-11-30")
    assert read["goods"] == []
    assert len(read["announcements"]) > 15
    assert read["day"] == "2026-11-30"


def test_own_announcements_count(tmp_path: Path) -> None:
    own = tmp_path / "announcements.csv"
    packaged = Path("gateway/reference/announcements.csv").read_text(encoding="utf-8")
    own.write_text(packaged.replace("2025-11-09,2025-11-09,2026-11-27", "2025-11-09,2025-11-09,2027-11-27"))
    assert states(ANTIMONY, "--on", "2026-11-30", "--announcements", own)[REFUSED] == "suspended"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("81101",), "'81101' must have 6, 8, 10 or 12 digits"),
        (("--on", "tomorrow"), "--on: 'tomorrow' isn't a day YYYY-MM-DD"),
        (("--announcements", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_wrong_input_is_told(arguments: tuple[str, ...], said: str) -> None:
    assert said in shown(*arguments, code=2)
