"""The command line against running gateways: an alert's life by commands alone, files to a partner, operators' work."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, MessageToJson
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.node.marks import prepare_marks
from gateway.rpc.listener.tls_probe import probe_tls_versions
from gateway.translation.check_texts import check_text, way_out_text
from gateway.translation.messages import in_language
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, origin, with_logs
from tests.support.forked_commands import forked_commands
from tests.support.public_files import DECLARATIONS


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("cli")):
        made.start("cn", "hk")
        yield made


@pytest.fixture
def cn(nodes: Federation) -> Cli:
    return Cli(nodes, "cn")


@pytest.fixture
def hk(nodes: Federation) -> Cli:
    return Cli(nodes, "hk")


def published(cn: Cli, tmp_path: Path, case: str) -> str:
    file = tmp_path / "alert.json"
    file.write_text(MessageToJson(alert(case_reference=case)))
    return str(cn.json("publisher", "alert", "publish", file, "--to", "hk")["alert_id"])


def arrived(hk: Cli, case: str, count: int = 1) -> list[Any]:
    where = ("--filter", f"case_reference = {case}", "--limit", 0)
    return list(hk.eventually("officer", "alert", "list", *where, until=lambda found: len(found) >= count))


def test_an_alert_lives_through_commands_alone(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    alert_id = published(cn, tmp_path, "LIFE-1")
    name = f"cn/{alert_id}"
    (found,) = arrived(hk, "LIFE-1")
    assert found["alert"]["id"] == alert_id

    hk.run("officer", "alert", "ack", name, "--case", "HK-1")
    question = hk.json("officer", "alert", "ask", name, "Which seals?", "--deadline", "12h")["question_id"]
    cn.eventually("officer", "alert", "show", alert_id, until=lambda a: len(a["history"]) >= 3)
    answered = cn.json("officer", "alert", "answer", f"cn/{alert_id[:13]}", question[:18], "A1 and A2")
    assert answered["alert"] == f"cn/{alert_id}"  # ids as tables cut them
    assert cn.run("officer", "alert", "show", alert_id[:23], width=80).stdout.startswith(f"Alert cn/{alert_id}\n")
    assert "begins like this" in hk.run("officer", "alert", "show", "cn/0000", code=2).stderr
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"not really a photo")
    report = ("--result", "confirmed", "--method", "x_ray", "--unlocode", "HKHKG", "--evidence", photo)
    hk.run(
        "officer", "alert", "finding", name, *report, "--measure", "seized:Sb:1250.5", "--remarks", "Antimony ingots"
    )
    hk.run("officer", "alert", "flag", name, "--reason", "no_legal_power", "--explanation", "Needs a warrant")
    cn.eventually("officer", "alert", "show", alert_id, until=lambda a: "flagged" in str(a["history"]))

    content = tmp_path / "content.json"
    content.write_text(MessageToJson(alert(case_reference="LIFE-1b")))
    assert cn.json("publisher", "alert", "amend", alert_id, content, "--revision", 1)["revision"] == 2
    close = ("alert", "close", alert_id, "--outcome", "confirmed", "--remarks", "Done")
    refused = cn.run("publisher", *close, code=1).stderr
    assert f"`gateway alert show {alert_id}`, then repeat this with --revision 2" in " ".join(refused.split())
    hk.eventually("officer", "alert", "show", name, until=lambda a: a["alert"]["revision"] == 2)
    hk.run("officer", "alert", "ack", name, code=1)
    hk.run("officer", "alert", "ack", name, "--revision", 2)
    cn.eventually("officer", "alert", "show", alert_id, until=lambda a: "acknowledged" in str(a["history"][-1]))
    cn.run("publisher", *close, "--revision", 2)
    ended = hk.eventually("officer", "alert", "show", name, until=lambda a: a["deliveries"][0]["status"] == "closed")
    kinds = [next(key for key in step["event"] if key not in ("occurred_at", "actor")) for step in ended["history"]]
    assert sorted(set(kinds) - {"disposition"}) == sorted(
        ["published", "acknowledged", "question", "answer", "finding", "flagged", "amended", "closed"]
    )
    shown_text = hk.run("officer", "alert", "show", name).stdout
    for expected in (
        f"Alert cn/{alert_id}",
        "LIFE-1b",
        "CSQU3054383",
        "Antimony ingots",
        "seized Sb 1,250.5 kg",
        "Needs a warrant",
        "A1 and A2",
        "hk/officer",
        "cn/publisher",
    ):
        assert expected in shown_text
    spoke = {(step["speaker"], step["event"]["actor"]) for step in ended["history"]}
    assert {("hk", "officer"), ("cn", "officer"), ("cn", "publisher")} <= spoke


def test_what_the_state_or_the_side_doesnt_allow_is_a_sentence(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    alert_id = published(cn, tmp_path, "SIDES-1")
    arrived(hk, "SIDES-1")
    assert (
        "only its publisher"
        in hk.run("supervisor", "alert", "withdraw", f"cn/{alert_id}", "--reason", "x", code=2).stderr
    )
    cn.run("publisher", "alert", "withdraw", alert_id, "--reason", "Wrong container")
    again = cn.run("publisher", "alert", "withdraw", alert_id, "--reason", "x", "--json", code=2)
    error = json.loads(again.stderr)["error"]
    assert error["reason"] == "ILLEGAL_TRANSITION"
    assert error["way_out"]
    assert "role" in hk.run("operator", "alert", "ack", f"cn/{alert_id}", code=1).stderr


def test_a_withdrawal_that_nobody_has_received_is_shown_so(cn: Cli, tmp_path: Path) -> None:
    file = tmp_path / "alert.json"
    content = alert(case_reference="AWAY-1")
    content.subject.equipment[0].seals.append("HLXU-1188")
    file.write_text(MessageToJson(content))
    alert_id = cn.json("publisher", "alert", "publish", file, "--to", "mo")["alert_id"]  # mo doesn't run
    cn.run("publisher", "alert", "withdraw", alert_id, "--reason", "Wrong container")
    found = cn.eventually("officer", "alert", "show", alert_id, until=lambda a: len(a["history"]) == 2)
    (copy,) = found["deliveries"]
    assert (copy["status"], copy["last_step"]["event"], copy["last_step"]["state"]) == (
        "withdrawn",
        "withdrawn",
        "waiting",
    )
    assert [step["delivery"]["state"] for step in found["history"]] == ["waiting", "waiting"]
    told = cn.run("officer", "alert", "show", alert_id, width=80).stdout
    assert "applied" not in told
    assert "no receipt" in told
    assert "seal HLXU-1188" in told
    listed = cn.run("officer", "alert", "list", "--filter", "case_reference = AWAY-1", width=80).stdout
    assert "withdrawn (no receipt)" in listed
    bundle = tmp_path / "away.zip"
    exported = cn.run("officer", "evidence", "export", alert_id, "--out", bundle)
    assert "there is no receipt yet of published, 001-withdrawn" in " ".join(exported.stderr.split())


def _with(document: dict[str, Any], **changes: Any) -> str:
    return json.dumps(document | changes)


def test_everything_that_is_wrong_with_an_alert_is_said_at_once_and_nothing_is_sent(cn: Cli, tmp_path: Path) -> None:
    """Faults that JSON, the contract, the clock, the agreements and a check digit show, each found by another step."""
    file, sound = tmp_path / "bad.json", MessageToDict(alert(case_reference="BAD-1"))
    subject = {"equipment": [{"id": "CSQU3054384"}]}
    contract = {
        "typologies": ["False Declaration"],
        "purpose": "tea_tasting",
        "goods": [{"description": "ingots", "element": "antimony"}],
        "validUntil": "2020-01-01T00:00:00Z",
        "subject": subject,
    }
    everywhere = ("typologies[0]", "purpose 'tea_tasting'", "goods[0].element", "valid_until", "'xx' isn't a partner")
    for changes in (contract, {**contract, "priorty": "A", "requestedAction": "explode", "legalBasis": 7}):
        file.write_text(_with(sound, **changes))
        told = cn.run("publisher", "alert", "publish", file, "--to", "hk,xx", code=2).stderr
        text = " ".join(told.split())
        for fault in (*everywhere, "subject.equipment[0].id"):
            assert fault in text, f"{fault} isn't in {told}"
    for fault in ("did you mean 'priority'", "requestedAction: must be one of", "legalBasis: must be a text"):
        assert fault in text, f"{fault} isn't in {told}"
    listed = cn.json("officer", "alert", "list", "--filter", "case_reference = BAD-1")
    assert listed == []


def test_everything_that_is_wrong_with_a_line_is_said_at_once(cn: Cli, tmp_path: Path) -> None:
    sound = MessageToDict(alert(case_reference="BAD-2"))
    bad = {"priority": "urgent", "typologies": ["False Declaration"], "subject": {"equipment": [{"id": "CSQU3054384"}]}}
    lines, table = tmp_path / "bad.jsonl", tmp_path / "bad.csv"
    lines.write_text(_with(sound, **bad) + "\n")
    table.write_text("priority,typologies,containers,element\nurgent,False Declaration,CSQU3054384,antimony\n")
    for file, more in ((lines, ()), (table, ("goods[0].element", "legal_basis"))):
        for options in (("--to", "hk"), ("--to", "hk", "--dry-run")):
            told = cn.run("publisher", "alert", "publish", file, *options, code=3).stderr
            text = " ".join(told.split())
            for fault in ("priority", "typologies[0]", "subject.equipment[0].id", *more):
                assert fault in text, f"{fault} isn't in {told}"


def test_an_id_is_taken_as_it_is_shown_a_partners_too(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    """Without its publisher: what a table or a page shows of a partner's alert is copied without it as well."""
    first, second = (published(cn, tmp_path, f"SHOWN-{number}") for number in (1, 2))
    arrived(hk, "SHOWN-1")
    arrived(hk, "SHOWN-2")
    for text in (first[:18], first, f"cn/{first[:18]}"):
        assert hk.json("officer", "alert", "show", text)["alert"]["id"] == first
    alike = next(size for size in range(8, 37) if first[:size] != second[:size]) - 1
    refused = hk.run("officer", "alert", "show", first[:alike], code=2).stderr
    assert f"cn/{first}" in refused
    assert f"cn/{second}" in refused
    assert "Give more characters of the id" in refused
    assert "doesn't name an alert" in hk.run("officer", "alert", "show", "CASE-1", code=2).stderr


def test_the_same_request_id_is_published_once(cn: Cli, tmp_path: Path) -> None:
    file = tmp_path / "alert.json"
    file.write_text(MessageToJson(alert(case_reference="ONCE-1")))
    command = ("alert", "publish", file, "--to", "hk", "--request-id", "01890000-0000-7000-8000-000000000001")
    first, second = cn.json("publisher", *command), cn.json("publisher", *command)
    assert second.pop("published_before")
    assert {**second, "published_before": False} == {"published_before": False, **first}


def test_watch_shows_changes_and_goes_on_where_it_ended(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    alert_id = published(cn, tmp_path, "WATCH-1")
    arrived(hk, "WATCH-1")
    lines = [json.loads(line) for line in hk.run("officer", "alert", "watch", "--once", "--json").stdout.splitlines()]
    (mine,) = [line for line in lines if line["alert"]["alert_id"] == alert_id and "published" in line["event"]]
    after = hk.run("officer", "alert", "watch", "--once", "--json", "--position", mine["position"]).stdout
    assert all(json.loads(line)["position"] > mine["position"] for line in after.splitlines())
    assert alert_id in hk.run("officer", "alert", "watch", "--once").stdout


def test_real_declarations_arrive_at_the_partner_once_and_in_order(cn: Cli, hk: Cli) -> None:
    file, count = DECLARATIONS.path, DECLARATIONS.of_mainland
    legal = ("--legal-basis", "Arrangement 2024, article 7", "--purpose", "export_control")
    command = ("alert", "publish", "--format", "declarations", file, "--to", "hk", *legal)
    assert cn.json("publisher", *command)["published"] == []  # none was controlled on its own day
    as_of = (*command, "--case", "REAL-1", "--as-of", "2026-01-15")
    done = cn.json("publisher", *as_of)
    first = done["published"]
    assert len(first) == count
    assert done["passed_over"] == {"elsewhere": DECLARATIONS.listed - count, "places_unknown": 0, "licences_unknown": 0}
    repeated = cn.json("publisher", *as_of)
    assert (repeated["published"], repeated["published_before"]) == ([], first)  # the same alerts
    again = cn.json("publisher", *as_of, "--priority", "a")
    assert (again["published"], len(again["published_before"])) == ([], count)
    arrived(hk, "REAL-1", count)
    changes = [json.loads(line) for line in hk.run("officer", "alert", "watch", "--once", "--json").stdout.splitlines()]
    there = [each for each in changes if "published" in each["event"] and "REAL-1" in str(each["event"])]
    assert [each["alert"]["alert_id"] for each in there] == [each["alert_id"] for each in first]


def test_lines_that_arent_right_are_named_and_the_rest_goes_on(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    good = MessageToJson(alert(case_reference="LINES-1"), indent=None)
    refused = MessageToJson(alert(case_reference="LINES-1", purpose="Not A Purpose"), indent=None)
    file = tmp_path / "alerts.jsonl"
    file.write_text("\n".join([good, "{broken", refused, good]))
    result = cn.json("publisher", "alert", "publish", file, "--to", "hk", code=3)
    assert [each["line"] for each in result["published"]] == [1, 4]
    assert [each["line"] for each in result["problems"]] == [2]
    assert [(each["line"], each["violations"][0]["field"]) for each in result["refused"]] == [(3, "content.purpose")]
    told = cn.run("publisher", "alert", "publish", file, "--to", "hk", code=3).stderr
    assert "Line 2: the line is not JSON: Expecting property name" in told
    assert 'at character 2; a line is an object like {"priority"' in told
    assert "Line 3: content.purpose" in told
    file.write_text("\n".join([good, good.replace("PRIORITY_C", "PRIORITY_B"), good]))
    corrected = cn.json("publisher", "alert", "publish", file, "--to", "hk")
    assert [each["line"] for each in corrected["published"]] == [2]
    known = [(each["line"], each["alert_id"]) for each in corrected["published_before"]]
    assert known == [(1, result["published"][0]["alert_id"]), (3, result["published"][1]["alert_id"])]
    assert len(arrived(hk, "LINES-1", 3)) == 3


def test_csv_of_alerts_and_declarations_with_a_mapping_of_ones_own(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.csv"
    alerts.write_text(
        "priority,typologies,containers,requested_action,legal_basis,purpose,case_reference,classification,"
        "onward_transfer,valid_until\n"
        f"B,concealment,CSQU3054383,inspect,Art. 7,export_control,CSV-1,official,prohibited,{_in_a_month()}\n"
    )
    (mine,) = cn.json("publisher", "alert", "publish", alerts, "--to", "hk")["published"]
    again = cn.run("publisher", "alert", "publish", alerts, "--to", "hk")
    assert f"Line 2: alert {mine['alert_id']}, published before" in again.stdout
    alerts.write_text(alerts.read_text().replace("CSQU3054383", "CSQU3054384"))  # a wrong check digit
    command = ("alert", "publish", alerts, "--to", "hk")
    strict = cn.json("publisher", *command, "--strict", code=3)
    assert [(each["line"], each["field"]) for each in strict["problems"]] == [(2, "subject.equipment[0].id")]
    noticed = cn.run("publisher", *command)
    assert "Line 2: subject.equipment[0].id: " in noticed.stderr
    assert re.search(r"Line 2: alert 0[0-9a-f-]{35}$", noticed.stdout, re.MULTILINE)
    assert cn.json("publisher", *command)["notices"][0]["code"] == "check_digit"
    mapping, rows = tmp_path / "ours.toml", tmp_path / "export.csv"
    columns = 'delimiter = ";"\n[columns]\ndeclaration_number = "No"\ndate = "Day"\nhs_code = "Code"\n'
    mapping.write_text(columns)
    rows.write_text("No;Day;Code\nE1;2026-01-02;811010\nE2;soon;811010\nE3;2026-01-03;010121\n")
    options = ("--mapping", mapping, "--legal-basis", "Art. 7", "--case", "CSV-1")
    command = ("alert", "publish", "--format", "declarations", rows, "--to", "hk", *options)
    told = cn.run("publisher", *command, code=3)
    assert "1 line has a controlled code, but neither origin nor departure" in " ".join(told.stderr.split())
    mapping.write_text(columns + '[constants]\ncountry_of_departure = "CN"\n')
    result = cn.json("publisher", *command, code=3)
    assert ([each["line"] for each in result["published"]], [each["line"] for each in result["problems"]]) == ([2], [3])
    assert len(arrived(hk, "CSV-1", 3)) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("alert.txt", "--to", "hk"), "give --format"),
        (("alerts.csv", "--to", "HK"), "'HK' isn't the name of a node"),
        (("alerts.csv", "--to", ","), "at least one node"),
        (("alerts.csv", "--to", "hk", "--format", "declarations"), "--legal-basis"),
        (("alerts.csv", "--to", "hk", "--request-id", "1"), "--request-id is for one alert"),
        (("missing.json", "--to", "hk"), "missing.json"),
        (("alerts.csv", "--to", "hk"), "unknown column 'colour'"),
    ],
)
def test_wrong_input_is_exit_code_2(cn: Cli, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "alerts.csv").write_text("colour\nred\n")
    file, *rest = arguments
    result = cn.run("publisher", "alert", "publish", tmp_path / file, *rest, code=2)
    assert said in result.stderr
    assert "Way out: " in result.stderr


def test_a_dry_run_needs_no_gateway(tmp_path: Path) -> None:
    file = str(DECLARATIONS.path)
    words = ["alert", "publish", "--format", "declarations", file, "--to", "hk", "--legal-basis", "L", "--dry-run"]
    result = CliRunner(env={"GATEWAY_CONFIG": str(tmp_path / "none")}).invoke(app, [*words, "--as-of", "2026-01-15"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == DECLARATIONS.of_mainland


def test_operators_see_links_and_suspend_and_resume_them(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    feed = origin("cn", "hk")
    assert "cn/hk/alerts" in cn.run("operator", "link", "list").stdout
    cn.run("operator", "link", "suspend", feed, "--reason", "Maintenance")
    try:
        (link,) = [link for link in cn.json("operator", "link", "list") if link["origin"] == feed]
        assert (link["state"], link["suspension"]) == ("suspended", "Maintenance")
        table = cn.run("operator", "link", "list").stdout
        assert "Maintenance" in table
        assert "Waiting" not in table, "what is empty for all takes no room"
        published(cn, tmp_path, "SUSPENDED-1")
    finally:
        cn.run("operator", "link", "resume", "cn/hk/alerts")
    assert len(arrived(hk, "SUSPENDED-1")) == 1
    assert cn.run("operator", "link", "resume", "gba.customs.example/cn/xx/alerts", code=2).stderr


def test_status_and_audit_say_who_did_what(nodes: Federation, cn: Cli, tmp_path: Path) -> None:
    published(cn, tmp_path, "AUDIT-1")
    state = cn.json("operator", "status")
    assert state["node"] == "cn"
    resources = {usage["name"]: (usage["used"], usage["limit"]) for usage in state["resources"]}
    assert set(resources) == {"descriptors", "peer_connections", "local_connections"}
    assert all(used <= limit for used, limit in resources.values())
    assert resources["local_connections"][0] >= 1  # this command's own
    shown = cn.run("operator", "status").stdout
    assert "Federation" in shown
    assert "Open files and connections" in shown
    cn.run("operator", "alert", "list", code=1)
    cn.eventually("auditor", "audit", "list", until=lambda events: "PublishAlert" in str(events))
    denied = cn.eventually("auditor", "audit", "list", "--filter", "result = deny", "--limit", 5, until=bool)
    assert {event["principal"] for event in denied} <= {"system/cn/operator", "system/cn/auditor"}
    assert "deny" in cn.run("auditor", "audit", "list", "--filter", "result = deny").stdout

    out, trusted = tmp_path / "denied", ("--directory", nodes.folder.directory)
    cn.run("auditor", "audit", "export", "--filter", "result = deny", "--format", "jsonl", "--out", out)
    told = cn.run("", "evidence", "verify", out, *trusted).stdout
    assert "these are all that result = deny leaves," in " ".join(told.split())
    with (out / "events-001.jsonl").open("ab") as events:
        events.write(b" ")
    assert "a byte of their files was changed" in cn.run("", "evidence", "verify", out, *trusted, code=1).stderr


def test_doctor_beside_a_running_node_finds_the_partner_that_is_down(nodes: Federation, cn: Cli) -> None:
    findings = {each["check"]: each for each in cn.json("", "doctor", code=1)}
    with in_language("pt"):
        for each in findings.values():
            assert check_text(each["check"]) != each["check"], "the same in every language"
            assert check_text(each["detail"]) != each["detail"], "not translated"
            assert way_out_text(each["way_out"]) != each["way_out"] or not each["way_out"], "not translated"
    assert findings.pop("Partner mo")["result"] == "fail"
    assert {name: each["detail"] for name, each in findings.items() if each["result"] != "ok"} == {}
    assert "speaks TLS 1.3 alone" in findings["Partner hk"]["detail"]
    assert findings["Clock"]["detail"].startswith("agrees with partners' clocks: hk 0.")
    for port in ("Peer port", "Local port"):
        assert f"process {nodes['cn'].pid}" in findings[port]["detail"]
    assert {"TLS certificate", "Directory", "Signing keys", "Clock", "Database", "Open files", "Local port"} <= set(
        findings
    )


def test_doctor_names_what_keeps_a_node_from_starting(nodes: Federation, tmp_path: Path) -> None:
    text = nodes["mo"].config.read_text()
    before = sorted(nodes["mo"].data.rglob("*"))
    broken = tmp_path / "gateway.toml"
    other_key = str(nodes["hk"].folder.key)
    broken.write_text(text.replace(str(nodes["mo"].folder.key), other_key).replace("threshold = 2", "threshold = 9"))
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["doctor", "--config", str(broken), "--json"])
    assert result.exit_code == 1
    findings = {each["check"]: each for each in json.loads(result.stdout)}
    assert "doesn't belong to the certificate" in findings["TLS certificate"]["detail"]
    assert "threshold" in findings["Directory"]["detail"]
    for name in ("Signing keys", "Clock", "Partners"):
        assert findings[name]["result"] == "unknown"
    assert findings["Signing keys"]["way_out"] == "See the failed checks above."
    assert (findings["Database"]["result"], findings["Peer port"]["result"]) == ("ok", "warn")
    assert sorted(nodes["mo"].data.rglob("*")) == before, "the doctor changes nothing"


def doctor(config: Path, *options: str) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(app, ["doctor", "--config", str(config), *options])


def test_doctor_says_what_it_could_not_check(nodes: Federation, tmp_path: Path) -> None:
    pulled = tmp_path / "gateway.toml"
    pulled.touch(mode=0o600)
    text = nodes["mo"].config.read_text()
    pulled.write_text(re.sub(r"(?m)^(\[links\.\w+\])$", r'\1\nmode = "pull"', text))
    result = doctor(pulled, "--json")
    assert result.exit_code == 3, result.output
    findings = {each["check"]: each["result"] for each in json.loads(result.stdout)}
    assert {name for name, found in findings.items() if found == "unknown"} == {"Partner cn", "Partner hk", "Clock"}
    shown = doctor(pulled)
    assert shown.exit_code == 3
    _, _, below = shown.stdout.partition("Not checked")
    assert "no partner's clock" in below
    assert "3 checks couldn't be made." in shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_doctor_tells_who_holds_the_nodes_ports(nodes: Federation, tmp_path: Path) -> None:
    taken = tmp_path / "gateway.toml"
    text = nodes["mo"].config.read_text()
    for own, other in (
        (nodes["mo"].peer_port, nodes["hk"].peer_port),
        (nodes["mo"].local_port, nodes["cn"].local_port),
    ):
        text = text.replace(f'_bind = "127.0.0.1:{own}"', f'_bind = "127.0.0.1:{other}"')
    taken.write_text(text)
    findings = {each["check"]: each for each in json.loads(doctor(taken, "--json").stdout)}
    for port, holder in (("Peer port", "hk"), ("Local port", "cn")):
        assert findings[port]["result"] == "fail"
        assert f"gateway/{holder}, which isn't this node's" in findings[port]["detail"]
        assert f"process {nodes[holder].pid}" in findings[port]["detail"]


def test_doctor_makes_no_database_where_one_is_gone(nodes: Federation, tmp_path: Path) -> None:
    moved = tmp_path / "gateway.toml"
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "starts").write_text("{}")
    moved.write_text(nodes["mo"].config.read_text().replace(str(nodes["mo"].data), str(data)))
    findings = {each["check"]: each for each in json.loads(doctor(moved, "--json").stdout)}
    assert (findings["Database"]["result"], "is gone" in findings["Database"]["detail"]) == ("fail", True)
    assert [path.name for path in data.iterdir()] == ["starts"]


def test_serve_runs_until_it_is_told_to_stop_and_says_why_it_cant_start(nodes: Federation, tmp_path: Path) -> None:
    node = nodes["mo"]
    command = [forked_commands() / "gateway", "serve", "--config"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, str(node.config)], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 30
            while not _listens(node.local_port):
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.1)
            elsewhere = tmp_path / "elsewhere.toml"  # with the same folder it is refused before
            elsewhere.write_text(node.config.read_text().replace(str(node.data), str(tmp_path / "data")))
            prepare_marks(tmp_path / "data", federation=FEDERATION, node="mo", made_at=nodes.now)
            second = subprocess.run([*command, str(elsewhere)], capture_output=True, text=True, timeout=60, check=False)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, (tmp_path / "log").read_text()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    assert second.returncode == 2, second.stderr
    assert f"can't listen on 127.0.0.1:{node.peer_port}" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_reader_that_has_enough_is_no_error(nodes: Federation) -> None:
    environment = {**os.environ, "GATEWAY_CONFIG": str(nodes["cn"].config), "GATEWAY_SYSTEM": "auditor"}
    command = f"{forked_commands()}/gateway audit list --limit 0 --json | head -c 1"
    ended = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr) == ("[", "")


def _listens(port: int) -> bool:
    try:
        return probe_tls_versions("127.0.0.1", port).floor_holds
    except Exception:
        return False


def _in_a_month() -> str:
    return time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() + 30 * 24 * 3600))


LINK = origin("hk", "cn")


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("officer", ("alert", "list")),
        ("officer", ("watchlist", "list")),
        ("officer", ("watchlist", "matches", "--filter", "")),
        ("officer", ("watchlist", "hits")),
        ("officer", ("watchlist", "statistics")),
        ("supervisor", ("watchlist", "proposals")),
        ("operator", ("link", "list")),
        ("operator", ("status",)),
        ("auditor", ("audit", "list")),
        ("officer", ("history", "risks")),
        ("officer", ("history", "rules")),
        ("supervisor", ("history", "hold", "list", "--released")),
        ("officer", ("watchlist", "diff", "--with", "cn")),
        ("officer", ("watchlist", "screen", "Example Metals Limitada and Partners of the Harbour")),
        ("operator", ("link", "suspend", LINK, "--reason", "Maintenance at cn until the afternoon " * 3)),
        ("operator", ("link", "resume", LINK)),
        ("", ("doctor",)),
        ("", ("verify",)),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_tables_fit_80_columns(hk: Cli, system: str, words: tuple[str, ...]) -> None:
    assert too_wide(hk.run(system, *words, width=80, code=None)) == []


def too_wide(result: Result) -> list[str]:
    """Lines that don't fit 80 columns, but for commands to copy."""
    return [line for line in result.stdout.splitlines() if cell_len(line) > 80 and "gateway " not in line]


def test_an_alert_in_full_fits_80_columns(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    alert_id = published(cn, tmp_path, "WIDE-1")
    arrived(hk, "WIDE-1")
    hk.run("officer", "alert", "ask", f"cn/{alert_id}", "锑锭的申报单证在哪里？" * 6, "--deadline", "12h")
    shown = hk.run("officer", "alert", "show", f"cn/{alert_id}", width=80).stdout
    assert max(map(cell_len, shown.splitlines())) <= 80
    assert shown.count("锑") == 6
