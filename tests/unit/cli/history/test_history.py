"""`gateway history` where no gateway is needed: options that become criteria, files, what is told about them, words."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from typer.testing import CliRunner, Result

from gateway.cli.history.commands import filter_of
from gateway.cli.history.criteria import ALL, EXACT, TRACED, criteria_of, grounds_of, moment
from gateway.cli.history.search import SearchResults, Sort, _show
from gateway.cli.history.trace import draft_text, unanswered
from gateway.cli.history.values import answer_line, node_cells, record_cells, shipment_facts
from gateway.cli.main import app
from gateway.cli.output import Output
from gateway.contract.json_form import json_of
from gateway.contract.validation import violations
from gateway.errors import OptionError
from gateway.tracing.report.criteria_words import criteria_lines
from gateway.tracing.report.words import proof_in_words
from gateway.v1.history_pb2 import AnswerStatus, HistoryRecord, NodeAnswer, SearchCriteria
from gateway.v1.history_service_pb2 import SearchEnd
from gateway.v1.trace_pb2 import DraftAlert, Trace
from tests.support.json_form import stated
from tests.support.nodes import alert_content
from tests.support.public_files import DECLARATIONS
from tests.support.shipments import shipment

WHY = ("--purpose", "export_control", "--legal-basis", "CEPA art. 5", "--case", "SZ-2026-17")

GIVEN = {
    "container": ["CSQU3054383", "MSKU0000006"],
    "seal": ["S1"],
    "ucr": ["U-1"],
    "declaration": ["D-1"],
    "transport_document": ["BL-1"],
    "previous_document": ["P-1"],
    "licence": ["L-1"],
    "reference": ["ANY-1"],
    "registration": ["粤Z·A123港"],
    "record": ["A-1"],
    "party_id": ["uscc:91440300715267260G", "12345678"],
    "vessel": "Example Star",
    "journey": "12E",
    "party": ["範例金屬"],
    "code": ["8110.10", "2804"],
    "substance": ["Sb"],
    "place": ["cnszw"],
    "procedure": ["export", "reexport"],
    "from_": "2026-01-01",
    "until": "2026-01-31",
}


def run(*words: object, text: str | bytes | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "300"}).invoke(app, ["history", *map(str, words)], input=text)


def dry(file: object, *words: object, code: int = 0, text: str | None = None) -> tuple[list[Any], str]:
    """Items that a file would give, and what is told on standard error."""
    result = run("import", file, "--dry-run", *words, text=text)
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def said(*words: object, code: int = 2) -> str:
    result = run(*words)
    assert result.exit_code == code, result.output
    return result.stderr


class TestCriteria:
    """Options become the contract's criteria, every one of them."""

    def test_every_option_has_its_criterion(self) -> None:
        made = criteria_of(GIVEN)
        assert violations(made) == []
        assert MessageToDict(made, preserving_proto_field_name=True) == {
            "record_ids": ["A-1"],
            "references": [
                {"value": "ANY-1"},
                {"kind": "SHIPMENT_REFERENCE_KIND_DECLARATION", "value": "D-1"},
                {"kind": "SHIPMENT_REFERENCE_KIND_UCR", "value": "U-1"},
                {"kind": "SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT", "value": "BL-1"},
                {"kind": "SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT", "value": "P-1"},
                {"kind": "SHIPMENT_REFERENCE_KIND_LICENCE", "value": "L-1"},
            ],
            "containers": ["CSQU3054383", "MSKU0000006"],
            "seals": ["S1"],
            "registrations": ["粤Z·A123港"],
            "vessel": "Example Star",
            "journey": "12E",
            "party_identifiers": [{"scheme": "uscc", "value": "91440300715267260G"}, {"value": "12345678"}],
            "party_names": ["範例金屬"],
            "commodity_codes": ["811010", "2804"],
            "substances": ["Sb"],
            "places": ["CNSZW"],
            "procedures": ["SHIPMENT_PROCEDURE_EXPORT", "SHIPMENT_PROCEDURE_REEXPORT"],
            "declared_from": "2025-12-31T16:00:00Z",
            "declared_until": "2026-01-31T16:00:00Z",
        }

    def test_no_criterion_of_the_contract_lacks_an_option(self) -> None:
        assert set(GIVEN) == set(ALL)
        made = {field.name for field, _ in criteria_of(GIVEN).ListFields()}
        assert made == set(SearchCriteria.DESCRIPTOR.fields_by_name)

    @pytest.mark.parametrize("name", ALL)
    def test_each_alone_is_a_search_or_says_that_it_only_narrows(self, name: str) -> None:
        given = {name: GIVEN[name]}
        if name in ("place", "procedure", "from_", "until"):
            with pytest.raises(OptionError, match="only narrow a search"):
                criteria_of(given)
        else:
            assert criteria_of(given).ByteSize()
        assert criteria_of({**given, "ucr": ["U"]}).ByteSize()

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({}, "name a criterion"),
            ({"code": ["81"]}, "--code: '81'"),
            ({"code": ["81101"]}, "--code"),
            ({"ucr": ["U"], "procedure": ["exort"]}, "--procedure: 'exort' isn't one of export, import"),
            ({"ucr": ["U"], "from_": "yesterday"}, "--from: 'yesterday'"),
            ({"ucr": ["U"], "until": "2026-01-01T00:00:00"}, "--until: .* time with its zone"),
        ],
    )
    def test_what_makes_no_sense_names_its_option(self, given: dict[str, Any], message: str) -> None:
        with pytest.raises(OptionError, match=message):
            criteria_of(given)

    def test_a_day_is_that_of_the_three_territories_and_ends_with_it(self) -> None:
        assert moment("2026-01-31", "--from") == datetime(2026, 1, 30, 16, tzinfo=UTC)
        assert moment("2026-01-31", "--until", end=True) == datetime(2026, 1, 31, 16, tzinfo=UTC)
        assert moment("2026-01-31T08:00:00+09:00", "--until", end=True) == datetime(2026, 1, 30, 23, tzinfo=UTC)

    def test_grounds_that_are_missing_are_named_all_at_once(self) -> None:
        with pytest.raises(OptionError, match=r"^--legal-basis, --case: the grounds"):
            grounds_of({"purpose": "export_control", "legal_basis": " ", "case_reference": ""})
        assert grounds_of({"purpose": "p", "legal_basis": "l", "case_reference": "c"}).case_reference == "c"


class TestWrongInput:
    """Whatever is wrong is said in a sentence before any gateway is asked."""

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("search", "--container", "C"), "--purpose, --legal-basis, --case: the grounds are incomplete"),
            (("search", *WHY), "name a criterion"),
            (("search", "--container", "C", *WHY, "--sort", "colour"), "'colour' is not one of"),
            (("search", "--container", "C", *WHY, "--limit", "20000"), "--limit"),
            (("search", "--container", "C", *WHY, "--node", "Not A Node"), "--node"),
            (("trace", "--ucr", "U"), "--purpose, --legal-basis, --case: the grounds are incomplete"),
            (("trace", *WHY), "name a criterion"),
            (("trace", "--ucr", "U", "--code", "8110", *WHY), "history trace has no option --code"),
            (("trace", "--from", "2026-01-01", "--until", "2026-01-31", *WHY), "name a criterion"),
            (("trace", "--ucr", "U", "--from", "yesterday", *WHY), "--from: 'yesterday' is neither a day"),
            (("trace", "--ucr", "U", "--until", "2026-01-31T08:00", *WHY), "a time with its zone"),
            (("hold", "place", "--container", "C", "--until", "2026-01-31"), "hold place has no option --until"),
            (("hold", "place", "--container", "C"), "--reason, --case: a hold needs a reason and a case"),
            (("hold", "place", "--reason", "R", "--case", "C"), "name a criterion"),
            (("hold", "release", "7", "--reason", "R"), "'7' isn't a hold's id"),
            (("hold", "release", "019bbf30-0000-7000-8000-000000000000"), "--reason: a release needs a reason"),
            (("risks", "--severity", "huge"), "--severity: 'huge' isn't one of notice, low, medium, high"),
            (("import", "file.txt"), "give --format csv or --format jsonl"),
            (("import", "file.csv"), "file.csv: No such file"),
            (("import", "file.jsonl", "--mapping", "m.toml"), "jsonl has none"),
            (("import", "file.csv", "--mapping", "m.toml"), "the mapping m.toml can't be read"),
            (("import", "file.csv", "--mapping", "m"), "those that come along: shipments_import_declarations"),
        ],
    )
    def test_it(self, words: tuple[str, ...], message: str) -> None:
        assert message in said(*words)

    def test_a_file_that_is_there_isnt_replaced_unasked(self, tmp_path: Path) -> None:
        there = tmp_path / "case.html"
        there.write_text("mine")
        assert "exists already" in said("trace", "--ucr", "U", *WHY, "--html", there)
        assert there.read_text() == "mine"

    def test_exact_criteria_are_those_that_a_trace_takes(self) -> None:
        assert set(EXACT) < set(ALL)
        assert not {"party", "code", "substance", "place", "vessel", "journey"} & set(EXACT)
        assert set(TRACED) - set(EXACT) == {"from_", "until"}

    def test_the_help_says_which_order_is_of_all_and_which_of_what_a_node_gave(self) -> None:
        told = " ".join(run("search", "--help").stdout.split())
        assert "Records of all nodes are in one order, newest declared first." in told
        assert "With --sort recorded or oldest each node sends its newest recorded, at most --limit" in told


class TestImport:
    """Files, and what is told about them."""

    def test_a_dry_run_prints_what_would_be_recorded(self, tmp_path: Path) -> None:
        file = tmp_path / "shipments.csv"
        file.write_text("record_id,procedure,declared_at\nA-1,export,2026-01-10T12:00:00+08:00\n")
        (item,), _ = dry(file)
        assert stated(item) == {
            "record_id": "A-1",
            "procedure": "export",
            "declared_at": "2026-01-10T04:00:00Z",
            "utc_offset_minutes": 480,
            "licences_not_known": True,
        }

    def test_what_a_dry_run_prints_can_be_imported(self, tmp_path: Path) -> None:
        file = tmp_path / "shipments.csv"
        file.write_text("record_id,event,event_at\nA-1,release,2026-01-10T12:00:00+08:00\n")
        result = run("import", file, "--dry-run")
        again, _ = dry("-", "--format", "jsonl", text=result.stdout)
        assert again == [json.loads(result.stdout)]

    def test_bad_records_are_listed_with_line_and_reason_and_the_rest_goes_on(self, tmp_path: Path) -> None:
        file = tmp_path / "shipments.csv"
        file.write_text(
            "record_id,procedure,declared_at,vgm_kg\n"
            "A-1,export,2026-01-10T12:00:00Z,\nA-2,exort,2026-01-10T12:00:00Z,x\nA-3\n"
        )
        items, told = dry(file, code=3)
        assert [item["record_id"] for item in items] == ["A-1"]
        assert "Line 3, A-2: procedure: 'exort' isn't one of export" in told
        assert "Line 3, A-2: vgm_kg: 'x' is not a number" in told
        assert "Line 4, A-3: the line has 1 column, the header has 4" in told
        file.write_text("record_id,procedure,declared_at\nA-2,exort,2026-01-10T12:00:00Z\n")
        assert dry(file, code=1)[0] == []

    def test_the_real_declarations_by_the_mapping_that_comes_along(self) -> None:
        items, told = dry(DECLARATIONS.path, "--mapping", "shipments_import_declarations")
        assert len(items) == DECLARATIONS.lines
        assert told == ""

    def test_a_header_alone_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "shipments.csv"
        file.write_text("record_id,procedure,declared_at\n")
        result = CliRunner().invoke(app, ["history", "import", str(file), "--dry-run"])
        assert result.exit_code == 2, result.output
        assert "has a header and no line below it" in " ".join(result.output.split())


def answer(node: str, status: int, **more: Any) -> NodeAnswer:
    return NodeAnswer(node=node, status=AnswerStatus.Name(status), **more)  # type: ignore[arg-type]


DENIED = answer("hk", AnswerStatus.ANSWER_STATUS_DENIED, reason="clause 4.2 doesn't name this purpose", elapsed_ms=7)


class TestWords:
    """What is shown of records, answers and traces."""

    def test_a_record_says_where_it_comes_from(self) -> None:
        record = HistoryRecord(node="cn", revision=2, shipment=shipment())
        record.recorded_at.FromJsonString("2026-01-10T05:00:00Z")
        record.withheld.add(path="parties[0].names")
        cells = record_cells(record)
        assert cells[:5] == ("cn/CN-EXP-1", 2, datetime(2026, 1, 10, 4, tzinfo=UTC), "export", "CN → HK")
        assert cells[7:] == (["CSQU3054383"], datetime(2026, 1, 10, 5, tzinfo=UTC), 1)

    def test_everything_that_a_shipment_says_is_among_its_facts(self) -> None:
        facts = shipment_facts(shipment())
        text = "\n".join(str(value) for value in facts.values())
        for known in (
            *("534520260000000101", "6CN9144030071526726XG-1", "深圳市宏达金属有限公司", "91440300715267260G"),
            *("Wang Tat Metals", "7901110000", "zinc ingots", "20000 kg net", "20400 kg gross", "CSQU3054383"),
            *("HKC 88-1204", "EL-77120", "粤Z·A123港", "AB 1234", "Shenzhen Bay", "CNSZW", "5345", "2026-01-10 12:00"),
        ):
            assert known in text, known

    def test_an_answer_says_how_it_went_and_why_not(self) -> None:
        assert answer_line(DENIED) == "hk: denied, 7 ms: clause 4.2 doesn't name this purpose"
        complete = answer("cn", AnswerStatus.ANSWER_STATUS_COMPLETE, count=1, as_of_position=9, elapsed_ms=3)
        assert answer_line(complete) == "cn: complete, 1 record, as of position 9, 3 ms"
        complete.searched_until.FromDatetime(datetime(2026, 1, 10, 4, 0, tzinfo=UTC))
        assert answer_line(complete) == "cn: complete, 1 record, as of 2026-01-10T04:00:00Z, 3 ms"
        assert node_cells(complete)[3] == datetime(2026, 1, 10, 4, 0, tzinfo=UTC)
        assert node_cells(DENIED)[:4] == ("hk", "denied", 0, None)
        assert node_cells(answer("mo", AnswerStatus.ANSWER_STATUS_TIMED_OUT))[1] == "timed out"

    def test_a_partners_answer_is_proven_complete_or_as_told(self) -> None:
        complete = answer("hk", AnswerStatus.ANSWER_STATUS_COMPLETE, as_of_position=9, elapsed_ms=3, query_id="019b")
        assert answer_line(complete) == "hk: complete, 0 records, as of position 9, as told, 3 ms"
        complete.proven_until.FromDatetime(datetime(2026, 1, 10, 4, 0, tzinfo=UTC))
        proven = "proven complete up to 2026-01-10T04:00:00Z"
        assert answer_line(complete) == f"hk: complete, 0 records, as of position 9, {proven}, 3 ms"
        complete.untold = 2
        assert node_cells(complete)[-1] == f"{proven}; up to 2 more records that it may not tell or has erased"
        told = answer("hk", AnswerStatus.ANSWER_STATUS_COMPLETE, query_id="019c")
        assert proof_in_words([complete, told]).startswith("1 of 2 answers proven complete up to 2026-01-10 04:00 +00")
        late = answer("hk", AnswerStatus.ANSWER_STATUS_TIMED_OUT, query_id="019d")
        assert proof_in_words([late]) == ""

    def test_what_was_withheld_is_counted_and_listed_when_asked_for(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "200")  # a narrower one folds the clause
        record = HistoryRecord(node="hk", revision=1, shipment=shipment(), matched_revision=1)
        record.withheld.add(path="goods[0].customs_value", disclosure_class="DISCLOSURE_CLASS_COMMERCIAL")
        record.name_matches.add(asked="Wang Tat", recorded="Wang Tat Metals Limited", score=0.93, because="Strong")
        found = SearchResults(records=[record], answers={"mo": DENIED})
        for verbose in (False, True):
            _show(Output(), found, sort=Sort.DECLARED, hit_only=False, verbose=verbose, limit=50)
            shown = capsys.readouterr()
            assert ("hk/CN-EXP-1: withheld goods[0].customs_value (commercial)" in shown.out) == verbose
            assert ("Wang Tat ~ Wang Tat Metals Limited (0.93): Strong" in shown.out) == verbose
            assert ("1 field was withheld by the agreements; -v lists them." in shown.err) != verbose
            assert "match revision 1, not the newest" in shown.err
            assert "clause 4.2 doesn't name this purpose" in shown.out

    def test_answers_of_several_pages_count_together_and_the_last_one_says_how_it_ended(self) -> None:
        found = SearchResults()
        found.take(answer("cn", AnswerStatus.ANSWER_STATUS_PARTIAL, count=50, withheld=2))
        found.take(answer("cn", AnswerStatus.ANSWER_STATUS_COMPLETE, count=7, withheld=1))
        found.take(DENIED)
        found.take(SearchEnd(count=57))
        assert (found.answers["cn"].count, found.answers["cn"].withheld) == (57, 3)
        assert found.unanswered == [DENIED]
        assert not found.page

    def test_a_node_that_answered_one_question_of_a_trace_and_not_another_is_told(self) -> None:
        complete = answer("hk", AnswerStatus.ANSWER_STATUS_COMPLETE)
        assert unanswered(Trace(answers=[DENIED, complete])) == [DENIED]
        assert unanswered(Trace(answers=[complete])) == []

    def test_a_draft_is_written_as_publish_reads_it(self, tmp_path: Path) -> None:
        content = alert_content(time.time_ns() // 1_000_000)
        file = tmp_path / "draft.json"
        file.write_bytes(draft_text(DraftAlert(content=content, recipients=["hk"])))
        result = CliRunner().invoke(app, ["alert", "publish", str(file), "--to", "hk", "--dry-run"])
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["content"] == json_of(content)

    def test_filters_of_risks(self) -> None:
        assert filter_of("R05", "HIGH", "A-1") == 'rule = "R05" AND severity = "high" AND record = "A-1"'
        assert filter_of("", "", "") == ""
        with pytest.raises(OptionError, match="--record"):
            filter_of("", "", 'a" AND rule = "R01')

    def test_what_a_hold_keeps_is_told_in_words(self) -> None:
        lines = criteria_lines(criteria_of({name: GIVEN[name] for name in EXACT}))
        assert "container CSQU3054383" in lines
        assert "UCR U-1" in lines
        assert "party uscc 91440300715267260G" in lines
        assert "party 12345678" in lines
