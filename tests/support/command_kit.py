"""What the commands of documents need to run: three nodes, and a folder with the files that documents name.

`CommandKit` makes them once. What a command uses up (an alert to acknowledge, a proposal to approve) is made for it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, MessageToJson
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.cli.trial.samples import write_samples
from gateway.errors import GatewayError
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.federation import NODES, Federation, alert, origin
from tests.support.partner import Partner, an_alert

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
PASSPHRASE = "correct horse battery"
RECORDS = ("534520260000000101", "HK-2026-17")
"""At cn, at hk."""
CONTAINER, UCR = "CSQU3054383", "6CN9144030071526726XG-1"
GROUNDS = {"--purpose": "export_control", "--legal-basis": "CEPA art. 5", "--case": "SZ-2026-17"}
LISTED = "Placeholder Metals Ltd"

_TERMS = """\
[[agreements]]
between = ["cn", "hk", "mo"]
message_types = ["AlertEvent"]
purposes = ["export_control"]
field_classes = ["INVESTIGATIVE"]
clause = "Example arrangement, article 7"
"""

_UN_LIST = """\
<?xml version="1.0" encoding="UTF-8"?>
<CONSOLIDATED_LIST dateGenerated="2026-02-27T00:00:09.554Z"><INDIVIDUALS><INDIVIDUAL>
<DATAID>1</DATAID><VERSIONNUM>1</VERSIONNUM><FIRST_NAME>PLACEHOLDER</FIRST_NAME><SECOND_NAME>PERSON</SECOND_NAME>
<UN_LIST_TYPE>Al-Qaida</UN_LIST_TYPE><REFERENCE_NUMBER>QDi.430</REFERENCE_NUMBER><LISTED_ON>2022-03-23</LISTED_ON>
</INDIVIDUAL></INDIVIDUALS><ENTITIES></ENTITIES></CONSOLIDATED_LIST>
"""

_LIST_MAPPING = """\
[constants]
legal_basis = "Art. 7"
purpose = "export_control"
requested_action = "inspect"
classification = "restricted"
onward_transfer = "prohibited"
[columns]
id = "No"
kind = "Kind"
name = "Name"
reason = "Why"
"""

_DECLARATION_MAPPING = """\
[columns]
declaration_number = "No"
date = "Day"
hs_code = "Code"
[constants]
country_of_departure = "CN"
"""

_SHIPMENTS = """\
record_id,procedure,declared_at,office,ucr,exporter_name,containers,mode,route,hs_code,description,net_mass_kg
"""


class CommandKit:
    """Nodes that run, and files.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path, nodes: Federation) -> None:
        self.nodes = nodes
        self.files = root / "files"
        self._runs = root / "runs"
        self._count = 0
        self._fill()

    # -- running

    def gateway(
        self,
        node: str,
        *words: object,
        cwd: Path | None = None,
        variables: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Result:
        """`gateway` in this process with the settings of a node; `variables` are more of the environment."""
        environment = {
            "GATEWAY_CONFIG": str(self.nodes[node].config),
            "GATEWAY_SYSTEM": "",
            "CA_PASS": PASSPHRASE,
            "CA_PASSPHRASE": PASSPHRASE,
            "DIR_PASS": PASSPHRASE,
            **(variables or {}),
        }
        with chdir(cwd or self.files):
            return CliRunner(env=environment).invoke(app, list(map(str, words)), **options)

    def json(self, node: str, *words: object, cwd: Path | None = None) -> Any:
        result = self.gateway(node, *words, "--json", cwd=cwd)
        assert result.exit_code == 0, f"gateway {' '.join(map(str, words))}\n{result.output}"
        lines = result.stdout.splitlines()
        return json.loads(result.stdout) if lines[0] in ("[", "{", "[]", "{}") else [json.loads(line) for line in lines]

    def eventually(self, node: str, *words: object, until: Any = bool) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            result = self.gateway(node, *words, "--json")
            if result.exit_code in (0, 3) and until(found := json.loads(result.stdout)):
                return found
            assert time.monotonic() < deadline, f"gateway {words} still says {result.output}"
            time.sleep(0.1)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A copy of the files for one command."""
        self._count += 1
        copy = self._runs / str(self._count)
        shutil.copytree(self.files, copy)
        yield copy
        shutil.rmtree(copy)

    # -- what commands use up

    def alert(self, publisher: str, recipient: str, **content: Any) -> str:
        """Id of a new alert that has arrived."""
        self._count += 1
        file = self.files / "new-alert.json"
        file.write_text(MessageToJson(alert(case_reference=f"KIT-{self._count}", **content)), "utf-8")
        made = self.json(publisher, "alert", "publish", file, "--to", recipient, "--system", "risk-engine")
        self.eventually(recipient, "alert", "show", f"{publisher}/{made['alert_id']}", "--system", "officers")
        return str(made["alert_id"])

    def question(self, *options: str) -> tuple[str, str]:
        """Ids of an alert of cn and of hk's question on it, which has arrived."""
        alert_id = self.alert("cn", "hk")
        words = ("alert", "ask", f"cn/{alert_id}", "Why?", "--deadline", "5d", *options, "--system", "officers")
        asked = self.json("hk", *words)["question_id"]
        shown = ("alert", "show", alert_id, "--system", "officers")
        self.eventually("cn", *shown, until=lambda found: asked in json.dumps(found["history"]))
        return alert_id, str(asked)

    def proposal(self) -> str:
        self._count += 1
        words = ("watchlist", "propose", "entry.json", "--list", "minerals", "--id", f"P-{self._count}")
        return str(self.json("cn", *words, "--system", "risk-engine")["proposal_id"])

    def entry(self) -> str:
        """Name of a new entry of cn."""
        proposal = self.proposal()
        self._made("watchlist", "approve", proposal, "--system", "supervisors")
        return f"minerals/P-{self._count}"

    def match(self) -> str:
        """Id of an open match at hk with cn's entry."""
        self._count += 1
        record = f"HK-M-{self._count}"
        self._record("hk", _row(record, ""))
        where = f"status = open AND source_id = {record}"
        (found, *_) = self.eventually("hk", "watchlist", "matches", "--filter", where, "--system", "officers")
        return str(found["match_id"])

    def hit(self) -> str:
        """Name of a hit that hk reported and cn has."""
        reported = self.json(
            "hk", "watchlist", "report", "cn/minerals/M-17", LISTED, "--purpose", "export_control", "--case", "HK-1",
            "--system", "officers",
        )  # fmt: skip
        name = f"hk/{reported['hit_id']}"
        self.eventually(
            "cn",
            "watchlist",
            "hits",
            "--system",
            "officers",
            until=lambda found: reported["hit_id"] in json.dumps(found),
        )
        return name

    def hold(self) -> str:
        words = ("history", "hold", "place", "--container", CONTAINER, "--reason", "A test", "--case", "SZ-1")
        return str(self.json("cn", *words, "--system", "supervisors")["hold_id"])

    def query(self) -> str:
        """Id of a query of cn that hk answered with its record."""
        found = self.json("cn", "history", "search", "--container", CONTAINER, *_words(GROUNDS), "--system", "officers")
        answers = [line["answer"] for line in found if "answer" in line]
        return next(str(answer["query_id"]) for answer in answers if answer["node"] == "hk")

    def quarantine(self, publisher: str, node: str) -> str:
        """A feed that is in quarantine at a node: in its publisher's name a batch came whose root is wrong."""

        async def send() -> None:
            partner = Partner(self.nodes, publisher, node)
            size = self.nodes[node].feed(partner.feed).size
            batch = partner.batch([an_alert() for _ in range(size + 1)])
            batch.first_index = size
            del batch.entries[:size]
            try:
                await partner.send(batch)
            except GatewayError:
                return
            finally:
                await partner.close()
            raise AssertionError("a batch with a wrong root was taken")

        self.nodes.run(send())
        return origin(publisher, node)

    # -- files

    def _fill(self) -> None:
        self.files.mkdir()
        shutil.copytree(
            self.nodes.folder.path, self.files / "nodes", ignore=shutil.ignore_patterns("data", "*.txt"), symlinks=True
        )
        self._alert_files()
        self._list_files()
        self._shipment_files()
        self._key_files()
        self._directory_files()
        self._state()

    def _write(self, name: str, text: str) -> None:
        (self.files / name).write_text(text, "utf-8")

    def _alert_files(self) -> None:
        write_samples(self.files, datetime.now(UTC))
        write_samples(self.files / "nodes", datetime.now(UTC))
        line = json.dumps(MessageToDict(alert(case_reference="JSONL-1")))
        self._write("alerts.jsonl", line + "\n")
        self._write("content.json", MessageToJson(alert(case_reference="AMENDED-1")))
        self._write("export.csv", "No,Day,Code\nE1,2026-01-02,811010\n")
        (self.files / "photo.jpg").write_bytes(b"not really a photo")

    def _list_files(self) -> None:
        self._write("consolidated.xml", _UN_LIST)
        self._write(
            "ours.csv",
            f"No,Kind,Name,Why\nM-17,organisation,{LISTED},Asked for\nM-18,organisation,Other Metals Ltd,Asked for\n",
        )
        self._write(
            "list.csv",
            "id,kind,name,reason,legal_basis,purpose,requested_action\n"
            "M-20,organisation,Third Metals Ltd,Asked for,Art. 7,export_control,inspect\n",
        )
        self._write("ours-of-lists.toml", _LIST_MAPPING)
        self._write("ours-of-declarations.toml", _DECLARATION_MAPPING)

    def _shipment_files(self) -> None:
        declared = _today()
        self._write("manifests.csv", _SHIPMENTS + _row("MAN-1", UCR))
        readable = (ROOT / "demo" / "declarations.csv").read_text("utf-8").splitlines(keepends=True)[:7]
        self._write("import_declarations.csv", "".join(readable))
        event = {
            "record_id": "MAN-1",
            "events": [{"kind": "gate_out", "occurred_at": f"{declared}", "utc_offset_minutes": 480}],
        }
        self._write("events.jsonl", json.dumps(event) + "\n")

    def _key_files(self) -> None:
        """Of cn's authority and node, as documents name them."""
        trial = self.nodes.folder
        for name in NODES:
            shutil.copy(trial.directory_key(name).with_name("directory.vkey"), self.files / f"{name}.vkey")
        shutil.copytree(trial.node("cn").path / "pki", self.files / "pki")
        shutil.copytree(trial.ca_key("cn").parent, self.files / "ca")
        shutil.copy(trial.node("cn").ca, self.files / "ca.pem")
        shutil.copy(trial.node("cn").ca, self.files / "ca")
        shutil.copy(trial.directory_key("cn"), self.files / "directory.pem")
        shutil.copy(self.files / "cn.vkey", self.files / "directory.vkey")
        node = ("--node", "cn", "--federation", FEDERATION)
        self._made("pki", "request", "--kind", "gateway", *node, "--out", "new")
        self._made("pki", "request", "--kind", "system", *node, "--name", "officers", "--out", "officers")
        shutil.copy(self.files / "new/gateway.csr", self.files)
        shutil.copy(self.files / "officers/officers.csr", self.files)
        for name, request in {
            "lost": "gateway",
            "old": "officers",
            "gateway": "gateway",
            "officers": "officers",
        }.items():
            self._made("pki", "issue", f"{request}.csr", "--ca", "ca", "--out", f"{name}.pem", "--yes")

    def _directory_files(self) -> None:
        trial = self.nodes.folder
        self._write("terms.toml", _TERMS)
        for name in NODES:
            self._made(
                "directory", "card", "--node", name, "--federation", FEDERATION, "--pki", trial.node(name).path / "pki",
                "--directory-key", f"{name}.vkey", "--endpoint", f"127.0.0.1:{self.nodes[name].peer_port}",
                "--name", f"en={name}", "--out", f"{name}.card.json",
            )  # fmt: skip
        cards = [f"{name}.card.json" for name in NODES]
        self._made("directory", "draft", *cards, "--threshold", 2, "--out", "directory.json")
        shutil.copy(trial.directory, self.files)
        self._made("directory", "renew", "directory.note", "--out", "directory-2.json")
        self._made(
            "directory", "sign", "directory.json", "--authority", "cn", "--key", "directory.pem", "--yes",
            "--out", "signed-once.note",
        )  # fmt: skip

    def _state(self) -> None:
        """Lists, records and a case at the nodes."""
        self._write("entry.json", json.dumps(_entry(LISTED, revision=1)))
        self._approved("propose", "entry.json", "--list", "minerals", "--id", "M-17")
        self._write("entry.json", json.dumps(_entry(LISTED, revision=2)))
        self._approved("propose", "entry.json", "--list", "minerals", "--id", "M-17", "--revision", 1)
        grounds = ("--releasable-to", "hk,mo", "--legal-basis", "UNSCR 1718 (2006)", "--purpose", "export_control")
        self._approved("import", "consolidated.xml", "--list", "un-sc", *grounds)
        self._write("records.csv", _SHIPMENTS + _row(RECORDS[0], UCR))
        self._made("history", "import", "records.csv", "--wait", "--system", "risk-engine")
        self._write("records.csv", _SHIPMENTS + _row(RECORDS[1], ""))
        self._made("history", "import", "records.csv", "--wait", "--system", "risk-engine", node="hk")
        case = self.alert("cn", "hk")
        self.eventually(
            "cn", "alert", "show", case, "--system", "officers", until=lambda found: "receipted_at" in json.dumps(found)
        )
        self._made("evidence", "export", case, "--out", "case-7.zip", "--system", "officers")
        self._made("evidence", "export", case, "--out", "case-7", "--system", "officers")
        query = self.query()
        self._made(
            "evidence", "export", "--answer", query, "--record", RECORDS[1], "--out", "told.zip", "--system", "officers"
        )
        self._made(
            "evidence",
            "consistency",
            "case-7.zip",
            "--directory",
            "directory.note",
            "--out",
            "case-7.consistency",
            "--system",
            "officers",
        )
        for name in ("2026-01-15.head", "2026-02-15.head"):
            self._made("audit", "head", "--out", name, "--system", "auditors")

    def _approved(self, *words: object) -> None:
        made = self.json("cn", "watchlist", *words, "--system", "risk-engine")
        self._made("watchlist", "approve", made["proposal_id"], "--system", "supervisors")

    def _made(self, *words: object, node: str = "cn") -> None:
        result = self.gateway(node, *words)
        assert result.exit_code == 0, f"gateway {' '.join(map(str, words))}\n{result.output}"

    def _record(self, node: str, rows: str) -> None:
        self._write("records.csv", _SHIPMENTS + rows)
        self._made("history", "import", "records.csv", "--wait", "--system", "risk-engine", node=node)


def _today() -> str:
    return (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")


def _words(options: dict[str, str]) -> list[str]:
    return [word for option in options.items() for word in option]


def _row(record: str, ucr: str) -> str:
    goods = "8110102000@CN,antimony ingots,20000"
    return f"{record},export,{_today()},CNSZW,{ucr},{LISTED},{CONTAINER},3,CNSZW;HKHKG,{goods}\n"


def _entry(name: str, *, revision: int) -> dict[str, Any]:
    return {
        "kind": "organisation",
        "names": [{"text": name}],
        "reason": f"Placeholder, revision {revision}",
        "legal_basis": "Art. 7",
        "purpose": "export_control",
        "requested_action": "inspect",
        "releasable_to": ["hk", "mo"],
        "handling": {"classification": "restricted", "onward_transfer": "prohibited"},
    }
