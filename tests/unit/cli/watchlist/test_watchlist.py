"""`gateway watchlist` where no gateway is needed: files, what is told about them, and words."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.files import output_file
from gateway.cli.main import app
from gateway.cli.watchlist.diff import verdict
from gateway.cli.watchlist.exporting import EntrySpool
from gateway.cli.watchlist.importing import DEFAULT_OPTIONS
from gateway.cli.watchlist.read import change_line, filter_of
from gateway.cli.watchlist.values import called, change_row, content_facts, entry_reference, own_entry
from gateway.client import WatchedChanges
from gateway.errors import OptionError
from gateway.formats.lists.rows import DEFAULTABLE
from gateway.v1.watchlist_pb2 import WATCHLIST_END_WITHDRAWN, WatchlistChange, WatchlistContent, WatchlistEntry
from gateway.v1.watchlist_service_pb2 import CompareCopyResponse, PublishedChange
from tests.support.json_form import stated

HEAD = "id,kind,name,reason\n"
GOOD = "A-1,organisation,Placeholder Metals,Diversion\n"
OFAC = '36,"PLACEHOLDER AIR","-0- ","CUBA",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n'


def run(*words: object, text: str | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "300"}).invoke(app, ["watchlist", *map(str, words)], input=text)


def dry(file: object, *words: object, code: int = 0, text: str | None = None) -> tuple[list[dict[str, object]], str]:
    """Entries that a file would give, and what is told on standard error."""
    result = run("import", file, "--list", "minerals", "--legal-basis", "Art. 7", "--dry-run", *words, text=text)
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def test_what_the_file_doesnt_say_comes_from_options_and_what_it_says_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("id,name,kind,releasable_to\nA-1,One,,\nA-2,Two,vessel,mo\n")
    options = ("--kind", "person", "--listed-for", "Diversion", "--action", "detain", "--purpose", "sanctions")
    options += ("--releasable-to", "hk,mo", "--classification", "restricted", "--onward-transfer", "federation")
    (one, two), _ = dry(file, *options)
    assert one["list"] == "minerals"
    assert stated(one["content"]) == {
        "kind": "person",
        "names": [{"text": "One", "kind": "primary"}],
        "reason": "Diversion",
        "legal_basis": "Art. 7",
        "purpose": "sanctions",
        "requested_action": "detain",
        "handling": {
            "classification": "restricted",
            "onward_transfer": "federation",
        },
        "releasable_to": ["hk", "mo"],
    }
    content = two["content"]
    assert isinstance(content, dict)
    assert (content["kind"], content["releasable_to"]) == ("vessel", ["mo"])


def test_bad_rows_are_listed_with_line_and_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"{HEAD}{GOOD}B-2,colour,Two,x\nC-3,person\nD-4,person,Four,\nE-5,person,Five,x\n")
    entries, told = dry(file, code=3)
    assert [each["id"] for each in entries] == ["A-1", "E-5"]
    assert "Line 3, B-2: kind: 'colour' isn't one of organisation, person" in told
    assert "Line 4, C-3: the line has 2 columns, the header has 4" in told
    assert "Line 5, D-4: reason: " in told
    assert "Options for the values that rows lack: --listed-for." in told
    file.write_text(f"{HEAD}B-2,colour,Two,x\n")
    assert dry(file, code=1)[0] == []


def test_doubtful_identifiers_are_notices_and_with_strict_errors(tmp_path: Path) -> None:
    """A failed check digit is a notice; --strict leaves the line out, and pruning with it."""
    file = tmp_path / "list.csv"
    file.write_text(
        "id,kind,name,reason,identifiers\nV-1,vessel,One,x,imo_ship:9074729\nV-2,vessel,Two,x,imo_ship:9074728\n"
    )
    entries, told = dry(file)
    assert [each["id"] for each in entries] == ["V-1", "V-2"]
    assert "Line 3, V-2: identifiers[0].value: " in " ".join(told.split())
    entries, told = dry(file, "--strict", code=3)
    assert [each["id"] for each in entries] == ["V-1"]
    assert "Line 3, V-2: identifiers[0].value: " in " ".join(told.split())


def test_every_field_that_may_be_given_as_a_default_has_an_option() -> None:
    assert set(DEFAULTABLE) <= set(DEFAULT_OPTIONS)


def test_formats_by_ending_or_option_and_from_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(HEAD + GOOD)
    entries, _ = dry(file)
    lines = tmp_path / "list.jsonl"
    lines.write_text("\n".join(json.dumps(each) for each in entries))
    assert dry(lines)[0] == entries
    assert dry("-", "--format", "csv", text=HEAD + GOOD)[0] == entries
    ftm = {"id": "Q-1", "schema": "Person", "properties": {"name": ["Placeholder Person"]}}
    (person,), _ = dry("-", "--format", "ftm", "--listed-for", "x", text=json.dumps(ftm))
    assert person["id"] == "Q-1"


def test_ofac_is_three_files_in_a_folder_or_beside_the_one_that_is_named(tmp_path: Path) -> None:
    options = ("--format", "ofac", "--listed-for", "x")
    (tmp_path / "SDN.CSV").write_text(OFAC)
    (tmp_path / "ALT.CSV").write_text('36,12,"aka","PLACEHOLDER AIRWAYS",-0- \r\n')
    told = run("import", tmp_path, "--list", "sdn", "--legal-basis", "L", *options)
    assert (told.exit_code, "add.csv isn't there" in told.stderr) == (2, True)
    (tmp_path / "ADD.CSV").write_text("")
    (entry,), _ = dry(tmp_path, *options)
    assert dry(tmp_path / "SDN.CSV", *options)[0] == [entry]
    assert "PLACEHOLDER AIRWAYS" in str(entry)


def test_remarks_that_arent_understood_are_counted_and_those_with_numbers_listed(tmp_path: Path) -> None:
    said = "Member since 1999; held under file 0000001 of the example court; Passport A0000001 (Iran); arrested 2001"
    (tmp_path / "cons_prim.csv").write_text(OFAC.replace(",-0- \r\n", f',"{said}; {"x" * 1000}"\r\n'))
    (tmp_path / "cons_alt.csv").write_text("")
    (tmp_path / "cons_add.csv").write_text("")
    (entry,), told = dry(tmp_path, "--format", "ofac", "--listed-for", "x")
    assert "3 remarks aren't wholly understood and stay in words, which screening doesn't read." in told
    assert "With numbers, which may identify: 1" in told
    assert "Line 1, 36: held under file 0000001 of the example court" in told
    (tmp_path / "cons_comments.csv").write_text('36,"; Registration ID 0000002 (Iran)."\r\n')
    (entry,), told = dry(tmp_path, "--format", "ofac", "--listed-for", "x")
    identifiers = entry["content"]["identifiers"]  # type: ignore[index]
    assert "0000002" in [identifier["value"] for identifier in identifiers]


def test_a_mapping_of_ones_own_reads_other_columns(tmp_path: Path) -> None:
    mapping, file = tmp_path / "ours.toml", tmp_path / "ours.csv"
    mapping.write_text('delimiter = ";"\n[columns]\nid = "No"\nname = "Firm"\n[constants]\nkind = "organisation"\n')
    file.write_text("No;Firm\n7;Placeholder Metals\n")
    (entry,), _ = dry(file, "--mapping", mapping, "--listed-for", "x")
    assert entry["id"] == "7"
    assert "there is no mapping 'ours'" in dry(file, "--mapping", "ours", code=2)[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("list.txt", "--list", "minerals"),
            "give --format csv, jsonl, un-xml, hk-xml, eu-xml, eu-csv, uk-xml, ofac-xml, ftm, ofac",
        ),
        (("list.csv", "--list", "Minerals"), "--list: 'Minerals' can't be a list's name"),
        (("list.csv", "--list", "minerals", "--prune"), "--prune and --reason go together"),
        (("list.csv", "--list", "minerals", "--reason", "x"), "--prune and --reason go together"),
        (("list.xml", "--list", "un-sc"), "--legal-basis: name the legal basis of the listing; un-xml has none"),
        (("list.jsonl", "--list", "minerals", "--mapping", "ours.toml"), "jsonl has none"),
        (("list.csv", "--list", "minerals", "--releasable-to", "HK"), "--releasable-to: 'HK' isn't the name of a node"),
        (("list.csv", "--list", "minerals", "--action", "shout"), "--action: 'shout' isn't one of"),
        (("missing.csv", "--list", "minerals"), "missing.csv"),
        (("list.csv", "--list", "minerals"), "unknown column 'colour'"),
    ],
)
def test_wrong_input_of_an_import_is_exit_code_2(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    for name in ("list.csv", "list.txt", "list.xml", "list.jsonl"):
        (tmp_path / name).write_text("colour\nred\n")
    file, *rest = words
    result = run("import", tmp_path / file, *rest)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Way out: " in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("propose", "FILE", "--list", "minerals", "--revision", "2"), "name the entry with --id"),
        (("propose", "FILE", "--list", "minerals"), "entry.json: not JSON: "),
        (("withdraw", "minerals/1", "minerals/2", "--reason", "x", "--revision", "1"), "--revision is for one entry"),
        (("approve", "yesterday's"), "isn't a proposal's id"),
        (("reject", "yesterday's", "--remarks", "x"), "isn't a proposal's id"),
        (("list", "--kind", "ship"), "--kind: 'ship' isn't one of"),
        (("export", "--list", "minerals", "--format", "ofac"), "'ofac' is not one of"),
        (("export", "--list", "minerals", "--format", "un-xml"), "'un-xml' is not one of"),
        (("export", "--list", "minerals", "--format", "csv", "--json"), "the report goes to standard output"),
    ],
)
def test_wrong_input_of_the_other_commands_is_exit_code_2(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "entry.json").write_text("{broken")
    result = run(*(tmp_path / "entry.json" if word == "FILE" else word for word in words))
    assert result.exit_code == 2, result.output
    assert said in result.stderr


def test_an_entry_is_named_with_its_publisher_or_as_an_own_one() -> None:
    named = entry_reference("hk/un-sc/QDi.430", "cn")
    assert (named.publisher, named.list, named.id) == ("hk", "un-sc", "QDi.430")
    own = own_entry("un-sc/QDi.430", "cn")
    assert (own.publisher, own.list, own.id) == ("cn", "un-sc", "QDi.430")
    assert entry_reference("cn/plates/A/B", "cn").id == "A/B"
    for wrong in ("", "QDi.430", "un-sc/", "/un-sc/x", "HK/un-sc/x", "cn/UN SC/x"):
        with pytest.raises(OptionError, match="doesn't name an entry"):
            entry_reference(wrong, "cn")
    with pytest.raises(OptionError, match="only its publisher"):
        own_entry("hk/un-sc/QDi.430", "cn")


def test_an_entry_is_shown_with_what_is_known_of_births_and_documents() -> None:
    content = WatchlistContent(birth_dates=["1963-05"], birth_periods=["1960/1962~", "1964~"])
    content.birth_places.add(city="Dandong, Liaoning", territory="CN")
    content.identifiers.add(scheme="passport", value="A1", territory="IR", expires="2030-01")
    content.identifiers.add(scheme="uscc", value="91350100M000100Y43")
    facts = content_facts(content)
    assert facts["Born"] == "1963-05, between 1960 and about 1962, about 1964"
    assert facts["Born in"] == "Dandong, Liaoning, CN"
    assert facts["Identifiers"] == "passport A1 (IR, valid until 2030-01)\nuscc 91350100M000100Y43"


def test_a_filter_from_options() -> None:
    assert filter_of("", "", "") == ""
    assert filter_of("un-sc", "", "", expiring=True) == 'list = "un-sc" AND expiring = "true"'
    assert filter_of("un-sc", "cn", "Person") == 'publisher = "cn" AND list = "un-sc" AND kind = "person"'


def compared(own: int, there: int, *, same: bool = True) -> CompareCopyResponse:
    return CompareCopyResponse(
        identical=same and own == there,
        origin="example/cn/hk/watchlist",
        own_size=own,
        partner_size=there,
        own_root=b"\x11" * 32 if there <= own else b"",
        partner_root=(b"\x11" if same else b"\x22") * 32,
        missing_count=10,
        active=1003,
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (compared(5, 5), ("Identical: hk lists 1003 entries", "size 5 and root 1111111111111111… on both sides")),
        (compared(0, 0), ("Identical: nothing was distributed to hk",)),
        (compared(5, 4), ("NOT identical: hk lacks 10 changes", "size 5 here and 4 there", "1111111111111111…")),
        (compared(4, 5), ("NOT identical: ", "size 5 at hk and only 4 here", "gateway recover")),
        (compared(5, 4, same=False), ("NOT identical: at size 4", "2222222222222222… at hk", "isn't what was signed")),
        (
            CompareCopyResponse(own_size=3, partner_size=3, own_root=b"r", partner_root=b"r", untold=7),
            ("NOT identical yet", "up to 7 changes", "aren't distributed yet"),
        ),
        (
            CompareCopyResponse(
                own_size=5, partner_size=3, own_root=b"r", partner_root=b"r", missing_count=4, untold=7
            ),
            ("NOT identical: hk lacks 4 changes", "Up to 7 more aren't distributed yet"),
        ),
    ],
)
def test_diff_says_it_in_one_line(found: CompareCopyResponse, words: tuple[str, ...]) -> None:
    line = verdict("hk", found)
    assert "\n" not in line
    assert all(word in line for word in words), line


def test_a_change_is_a_line_with_position_entry_revision_and_what_it_is() -> None:
    entered = WatchlistChange()
    entered.entered.list, entered.entered.id, entered.entered.revision = "un-sc", "Q-1", 2
    entered.entered.content.names.add(text="Placeholder\nPerson")
    ended = WatchlistChange()
    ended.ended.list, ended.ended.id, ended.ended.revision = "un-sc", "Q-1", 2
    ended.ended.end, ended.ended.reason = WATCHLIST_END_WITHDRAWN, "Delisted"
    assert change_row(entered) == ("un-sc/Q-1", "amended", 2, "Placeholder Person")
    changes = [PublishedChange(publisher="cn", change=change) for change in (entered, ended)]
    lines = [change_line(WatchedChanges(changes, 17), change) for change in changes]
    assert lines == [
        "      17  cn/un-sc/Q-1  rev 2  amended  Placeholder Person",
        "      17  cn/un-sc/Q-1  rev 2  withdrawn  Delisted",
    ]
    state = WatchedChanges(changes[:1], 0, full_state=True, begins=True)
    assert change_line(state, changes[0]).startswith("listed  cn/un-sc/Q-1")


def test_what_has_no_name_is_called_by_what_it_is_known_by() -> None:
    plate, place, code = WatchlistContent(), WatchlistContent(), WatchlistContent()
    plate.identifiers.add(scheme="plate", value="MO-12-34")
    place.addresses.add(street="1 Placeholder Road", territory="HK")
    code.commodities.add(code="811010")
    route = WatchlistContent()
    route.route.add(unlocode="CNSZX")
    route.route.add(unlocode="HKHKG")
    found = [called(each) for each in (plate, place, code, route, WatchlistContent())]
    assert found == ["MO-12-34", "1 Placeholder Road, HK", "811010", "CNSZX → HKHKG", ""]


def test_a_spool_gives_back_what_it_was_given_as_often_as_asked() -> None:
    entries = [WatchlistEntry(list="un-sc", id=str(number)) for number in range(3)]
    with tempfile.TemporaryFile() as file:
        spool = EntrySpool(file)
        for entry in entries:
            spool.add(entry)
        assert (list(spool), list(spool), spool.count) == (entries, entries, 3)


def test_a_file_that_isnt_written_to_its_end_doesnt_appear(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"

    def half() -> None:
        with output_file(target) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert list(tmp_path.iterdir()) == []
    with output_file(target) as file:
        file.write(b"whole")
    assert target.read_bytes() == b"whole"
    with pytest.raises(OptionError, match="exists already"), output_file(target):
        pass
