"""The United Nations' list: the real file or the sample, each kind of element, and hostile files."""

from __future__ import annotations

import calendar
import contextlib
import io
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, MalformedError, TooLargeError
from gateway.formats.lists import safe_xml
from gateway.formats.lists.ftm import read_ftm
from gateway.formats.lists.ftm_export import write_ftm
from gateway.formats.lists.labelled import MOST_TEXT_CHARS, take_labelled
from gateway.formats.lists.rows import BadRow, ListRow
from gateway.formats.lists.un_xml import NOT_READ, names_in, read_un_xml, scheme_of
from gateway.formats.territories import territory_code
from gateway.v1 import watchlist_pb2
from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.watchlists.codec.events import content_digest
from tests.support.public_files import UN_LIST
from tests.support.watchlists import OPTIONS, bad, entry, good

ALIAS = watchlist_pb2.LISTED_NAME_KIND_ALIAS
CARRIED_NOWHERE = {"legal_basis", "purpose", "requested_action", "handling", "releasable_to"}


@pytest.fixture(scope="module")
def real() -> bytes:
    return UN_LIST.path.read_bytes()


@pytest.fixture(scope="module")
def listed(real: bytes) -> dict[str, WatchlistContent]:
    return good(read_un_xml(io.BytesIO(real), OPTIONS))


def document(individuals: str = "", entities: str = "") -> bytes:
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n<CONSOLIDATED_LIST>\n"
        f"<INDIVIDUALS>{individuals}</INDIVIDUALS>\n<ENTITIES>{entities}</ENTITIES></CONSOLIDATED_LIST>"
    ).encode()


def read(data: bytes) -> list[object]:
    return list(read_un_xml(io.BytesIO(data), OPTIONS))


def test_all_entries_of_the_real_list_come_out(real: bytes, listed: dict[str, WatchlistContent]) -> None:
    kinds = Counter(content.kind for content in listed.values())
    assert kinds == {
        watchlist_pb2.WATCHLIST_KIND_PERSON: UN_LIST.persons,
        watchlist_pb2.WATCHLIST_KIND_ORGANISATION: UN_LIST.organisations,
    }
    references = re.findall(r"<REFERENCE_NUMBER>(.*?)</REFERENCE_NUMBER>", real.decode())
    assert [reference.strip() for reference in references] == list(listed)


def test_identifiers_that_the_real_list_names_in_sentences_come_out(listed: dict[str, WatchlistContent]) -> None:
    carried = Counter(one.scheme for each in listed.values() for one in each.identifiers)
    named = UN_LIST.named_in_sentences
    assert {scheme: carried[scheme] for scheme in named} == named
    assert carried["telephone"] >= UN_LIST.telephones
    for content in listed.values():
        sentences = " ".join(content.remarks.split())
        for label, scheme in (("IMO", "imo_company"), ("SWIFT", "swift_bic"), ("@", "email")):
            labelled = re.search(rf"\b{label}\b[^.]{{0,12}}:|\w{label}\w", sentences)
            assert not labelled or any(one.scheme == scheme for one in content.identifiers), (sentences, scheme)


def test_only_few_numbers_of_the_real_list_stay_without_a_known_meaning(real: bytes) -> None:
    rows = [row for row in read_un_xml(io.BytesIO(real), OPTIONS) if isinstance(row, ListRow)]
    assert sum(len(row.not_understood) for row in rows) == UN_LIST.not_understood


def test_every_name_of_a_territory_in_the_real_list_is_known(real: bytes) -> None:
    """But for what is no territory today."""
    from xml.etree import ElementTree

    root = ElementTree.fromstring(real)  # noqa: S314
    tags = ("COUNTRY", "ISSUING_COUNTRY", "COUNTRY_OF_ISSUE", "COUNTRY_OF_BIRTH")
    said = [text for element in root.iter() if element.tag in tags for text in [element.text]]
    said += [value.text for element in root.iter("NATIONALITY") for value in element]
    names = {" ".join(text.split()) for text in said if text and text.strip()}
    assert len(names) >= UN_LIST.territories
    assert {name for name in names if not territory_code(name)} == {"former Soviet Union", "na"}


def test_birth_and_other_script_of_an_alias_are_fields_too() -> None:
    alias = (
        "<INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>Second Name</ALIAS_NAME>"
        "<DATE_OF_BIRTH>1970-02-05</DATE_OF_BIRTH><CITY_OF_BIRTH>Example City</CITY_OF_BIRTH>"
        "<COUNTRY_OF_BIRTH>Tunisia</COUNTRY_OF_BIRTH><NOTE>original script: Абу</NOTE></INDIVIDUAL_ALIAS>"
    )
    record = f"<INDIVIDUAL><REFERENCE_NUMBER>X.1</REFERENCE_NUMBER><FIRST_NAME>Name</FIRST_NAME>{alias}</INDIVIDUAL>"
    content = good(read(document(record)))["X.1"]
    assert [name.text for name in content.names] == ["Name", "Second Name", "Абу"]
    assert list(content.birth_dates) == ["1970-02-05"]
    assert [(place.city, place.territory) for place in content.birth_places] == [("Example City", "TN")]


EXPIRY = {
    *("expiration", "date", "expires", "expired", "on", "valid", "until"),
    *(name.casefold() for names in (calendar.month_name, calendar.month_abbr) for name in names),
    *map(str, range(1, 10)),
}
"""Words of notes that became a date."""


def test_no_text_of_the_real_list_is_lost(real: bytes, listed: dict[str, WatchlistContent]) -> None:
    """Every word of every element that is read stands somewhere in its entry, but for what became a code or a date."""
    from xml.etree import ElementTree

    words = re.compile(r"[^\W\d]+|\d+")
    for record in (each for part in ElementTree.fromstring(real) for each in part):  # noqa: S314
        content = listed[(record.findtext("REFERENCE_NUMBER") or "").strip()]
        held = set(words.findall(str(content).encode().decode("unicode_escape", "replace")))
        held |= set(words.findall(" ".join([*_texts(content), content.remarks, content.reason])))
        for element in record.iter():
            name = element.tag
            if name in (*NOT_READ, "REFERENCE_NUMBER", "LISTED_ON", "QUALITY", "TYPE_OF_DATE", "TYPE_OF_DOCUMENT"):
                continue
            if name in ("COUNTRY", "VALUE", "ISSUING_COUNTRY", "COUNTRY_OF_ISSUE", "COUNTRY_OF_BIRTH", "DATE"):
                continue
            missing = set(words.findall(element.text or "")) - held - {"a", "b", "c", "d", "original", "script"}
            if name == "NOTE" and any(each.expires for each in content.identifiers):
                missing = {word for word in missing if word.casefold() not in EXPIRY}
            assert not missing, (record.findtext("REFERENCE_NUMBER"), name, missing)


def _texts(content: WatchlistContent) -> Iterator[str]:
    yield from (each.text for each in content.names)
    yield from (each.value for each in content.identifiers)
    yield from (f"{each.street} {each.city}" for each in content.addresses)
    yield from content.birth_dates
    yield from content.birth_periods
    yield from (f"{each.street} {each.city}" for each in content.birth_places)


def test_counts_of_the_real_list_agree_with_the_file(real: bytes, listed: dict[str, WatchlistContent]) -> None:
    text = real.decode()
    records = re.findall(r"<INDIVIDUAL>.*?</INDIVIDUAL>", text, re.DOTALL)
    document = re.compile(
        r"<TYPE_OF_DOCUMENT>(.*?)</TYPE_OF_DOCUMENT>(?:(?!</INDIVIDUAL_DOCUMENT>).)*?<NUMBER>(.*?)<", re.DOTALL
    )
    numbers = sum(
        len({(scheme_of(kind.strip()), number.strip()) for kind, number in document.findall(each)}) for each in records
    )
    documents_of = {"passport", "national_id"}
    carried = Counter(one.scheme for each in listed.values() for one in each.identifiers)
    assert numbers <= sum(carried[scheme] for scheme in documents_of) <= numbers * 1.05  # texts name further ones
    births = re.findall("<INDIVIDUAL_DATE_OF_BIRTH>(.*?)</INDIVIDUAL_DATE_OF_BIRTH>", text, re.DOTALL)
    about = [each for each in births if "APPROXIMATELY" in each and ("<DATE>" in each or "<YEAR>" in each)]
    between = [each for each in births if "<FROM_YEAR>" in each]
    periods = [period for content in listed.values() for period in content.birth_periods]
    assert sum("/" in period for period in periods) == len(between) == UN_LIST.between
    assert len(about) * 0.97 <= sum(period.endswith("~") for period in periods) <= len(about)  # some stand twice
    places = re.findall("<INDIVIDUAL_PLACE_OF_BIRTH>(?:(?!</INDIVIDUAL_PLACE).)*?<COUNTRY>.*?<", text, re.DOTALL)
    born = sum(bool(place.territory) for content in listed.values() for place in content.birth_places)
    aliases = len(re.findall("<COUNTRY_OF_BIRTH>[^<]", text))
    assert len(places) * 0.97 <= born <= len(places) + aliases
    documents = [document for content in listed.values() for document in content.identifiers]
    assert sum(bool(each.territory) for each in documents) >= UN_LIST.with_territory
    assert sum(len(each.expires) == 10 for each in documents) >= UN_LIST.expiring
    assert sum(content.HasField("valid_from") for content in listed.values()) == UN_LIST.entries
    weak = sum(each.kind == watchlist_pb2.LISTED_NAME_KIND_WEAK_ALIAS for c in listed.values() for each in c.names)
    assert weak >= len(re.findall("<QUALITY>Low</QUALITY>", text)) * 0.95
    assert "Hani" in {each.script for content in listed.values() for each in content.names}


def digests(listed: dict[str, WatchlistContent]) -> dict[str, bytes]:
    return {entry_id: content_digest(content) for entry_id, content in listed.items()}


def test_ten_changed_and_one_removed_are_eleven_changes(real: bytes, listed: dict[str, WatchlistContent]) -> None:
    text = real.decode()
    edited = text
    for entry_id in list(listed)[5:15]:
        reference = f"<REFERENCE_NUMBER>{entry_id}</REFERENCE_NUMBER>"
        assert edited.count(reference) == 1
        edited = edited.replace(reference, f"{reference}<TITLE><VALUE>Edited</VALUE></TITLE>")
    removed = list(listed)[UN_LIST.persons - 4]
    record = next(each for each in re.findall(r"<INDIVIDUAL>.*?</INDIVIDUAL>", edited, re.DOTALL) if removed in each)
    edited = edited.replace(record, "")
    before, after = digests(listed), digests(good(read_un_xml(io.BytesIO(edited.encode()), OPTIONS)))
    assert [each for each in after if after[each] != before[each]] == list(listed)[5:15]
    assert before.keys() - after.keys() == {removed}
    assert digests(good(read_un_xml(io.BytesIO(real), OPTIONS))) == before


def test_a_source_that_reorders_aliases_and_documents_changes_nothing(
    real: bytes, listed: dict[str, WatchlistContent]
) -> None:
    tags = "ALIAS|DOCUMENT|ADDRESS|DATE_OF_BIRTH|PLACE_OF_BIRTH"
    run = re.compile(rf"(?:\s*<(INDIVIDUAL|ENTITY)_({tags})(?:/>|>.*?</\1_\2>))+", re.DOTALL)
    one = re.compile(rf"\s*<(INDIVIDUAL|ENTITY)_({tags})(?:/>|>.*?</\1_\2>)", re.DOTALL)

    def turned(found: re.Match[str]) -> str:
        return "".join(reversed([each[0] for each in one.finditer(found[0])]))

    edited = run.sub(turned, real.decode())
    assert edited != real.decode()
    assert digests(good(read_un_xml(io.BytesIO(edited.encode()), OPTIONS))) == digests(listed)


def test_the_real_list_goes_through_follow_the_money_unchanged(listed: dict[str, WatchlistContent]) -> None:
    stream = io.BytesIO()
    export = write_ftm(stream, [entry(entry_id, content) for entry_id, content in listed.items()])
    assert set(export.left_out) == CARRIED_NOWHERE
    stream.seek(0)
    assert good(read_ftm(stream, OPTIONS)) == listed


PERSON = """<INDIVIDUAL>
  <FIRST_NAME>EXAMPLE</FIRST_NAME><SECOND_NAME>PERSON</SECOND_NAME><THIRD_NAME/>
  <UN_LIST_TYPE>DPRK</UN_LIST_TYPE><REFERENCE_NUMBER>KPi.999</REFERENCE_NUMBER>
  <LISTED_ON>2016-03-02-05:00</LISTED_ON><NAME_ORIGINAL_SCRIPT>예시</NAME_ORIGINAL_SCRIPT>
  <COMMENTS1>First line
     second   line</COMMENTS1>
  <DESIGNATION><VALUE>Official</VALUE><VALUE>Director</VALUE></DESIGNATION>
  <NATIONALITY><VALUE>Democratic People's Republic of Korea</VALUE><VALUE>former Soviet Union</VALUE></NATIONALITY>
  <INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>Jin Lizi (金例子); Example Two</ALIAS_NAME></INDIVIDUAL_ALIAS>
  <INDIVIDUAL_ALIAS><QUALITY>Low</QUALITY><ALIAS_NAME>Ex</ALIAS_NAME><NOTE>nom de guerre</NOTE></INDIVIDUAL_ALIAS>
  <INDIVIDUAL_ADDRESS><STREET>1 Example Road</STREET><CITY>Dandong</CITY><STATE_PROVINCE>Liaoning</STATE_PROVINCE>
    <COUNTRY>China</COUNTRY><NOTE>as of 2016</NOTE></INDIVIDUAL_ADDRESS>
  <INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>EXACT</TYPE_OF_DATE><DATE>1963-05-17</DATE></INDIVIDUAL_DATE_OF_BIRTH>
  <INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>APPROXIMATELY</TYPE_OF_DATE><YEAR>1960</YEAR></INDIVIDUAL_DATE_OF_BIRTH>
  <INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>BETWEEN</TYPE_OF_DATE><FROM_YEAR>1965</FROM_YEAR><TO_YEAR>1967</TO_YEAR>
  </INDIVIDUAL_DATE_OF_BIRTH>
  <INDIVIDUAL_PLACE_OF_BIRTH><CITY>Example City</CITY><NOTE>or near it</NOTE></INDIVIDUAL_PLACE_OF_BIRTH>
  <INDIVIDUAL_PLACE_OF_BIRTH><CITY>Example Town</CITY><STATE_PROVINCE>Liaoning</STATE_PROVINCE>
    <COUNTRY>China</COUNTRY></INDIVIDUAL_PLACE_OF_BIRTH>
  <INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NUMBER>Example passport number PS000001</NUMBER>
    <ISSUING_COUNTRY>China</ISSUING_COUNTRY><DATE_OF_ISSUE>2020-06-10</DATE_OF_ISSUE>
    <NOTE>Renewed. Expires on 9
    June 2030</NOTE></INDIVIDUAL_DOCUMENT>
  <INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NUMBER>PS000002</NUMBER>
    <NOTE>Expiration date: 2031-12-11. </NOTE></INDIVIDUAL_DOCUMENT>
  <INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NUMBER>PS000003</NUMBER>
    <COUNTRY_OF_ISSUE>Nowhere</COUNTRY_OF_ISSUE><NOTE>expires on 31 February 2030</NOTE></INDIVIDUAL_DOCUMENT>
  <INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Driving Licence</TYPE_OF_DOCUMENT><NUMBER>42</NUMBER></INDIVIDUAL_DOCUMENT>
  <INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NOTE>lost</NOTE></INDIVIDUAL_DOCUMENT>
  <NEW_ELEMENT><VALUE>something new</VALUE></NEW_ELEMENT>
</INDIVIDUAL>"""


def test_what_each_element_becomes() -> None:
    content = good(read(document(PERSON)))["KPi.999"]
    kinds = watchlist_pb2.ListedNameKind
    assert [
        (each.text, each.script, kinds.Name(each.kind).removeprefix("LISTED_NAME_KIND_")) for each in content.names
    ] == [
        ("EXAMPLE PERSON", "Latn", "PRIMARY"),
        ("Example Two", "Latn", "ALIAS"),
        ("Jin Lizi", "Latn", "ALIAS"),
        ("金例子", "Hani", "ALIAS"),
        ("예시", "Hang", "ALIAS"),
        ("Ex", "Latn", "WEAK_ALIAS"),
    ]
    assert [(each.scheme, each.value, each.territory, each.expires) for each in content.identifiers] == [
        ("driving_licence", "42", "", ""),
        ("passport", "PS000001", "CN", "2030-06-09"),
        ("passport", "PS000002", "", "2031-12-11"),
        ("passport", "PS000003", "", ""),
    ]
    assert [(each.street, each.city, each.territory) for each in content.addresses] == [
        ("1 Example Road", "Dandong, Liaoning", "CN")
    ]
    assert list(content.birth_dates) == ["1963-05-17"]
    assert list(content.birth_periods) == ["1960~", "1965/1967"]
    assert [(each.city, each.territory) for each in content.birth_places] == [
        ("Example City", ""),
        ("Example Town, Liaoning", "CN"),
    ]
    assert list(content.territories) == ["KP"]
    assert content.reason == "United Nations Security Council list: DPRK; designation: Official / Director"
    assert content.valid_from.ToJsonString() == "2016-03-02T00:00:00Z"
    assert content.remarks.splitlines() == [
        "First line",
        "second line",
        "Address 1 Example Road, Dandong, Liaoning, CN: as of 2016",
        "Alias Ex: nom de guerre",
        "Born in: or near it",
        "Document PS000001: Example passport number; issued 2020-06-10; Renewed. Expires on 9 June 2030",
        "Document PS000003: issued Nowhere; expires on 31 February 2030",
        "Document: Passport, lost",
        "NEW_ELEMENT: something new",
        "Nationality: former Soviet Union",
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("One; Two", ["One", "Two"]),
        ("One; Two b) Three; Four", ["One", "Two", "Three", "Four"]),
        ("Example Army (EA)", ["Example Army (EA)"]),
        ("例子 (One; Two)", ["例子", "One", "Two"]),
        ("Lizi (original script: 例子)", ["Lizi", "例子"]),
        ("One (EX) (例子 (original script); Two)", ["One (EX)", "例子", "Two"]),
        ("(Sheikh) Example", ["(Sheikh) Example"]),
        ("((((", ["(((("]),
    ],
)
def test_an_alias_that_holds_several_names(text: str, names: list[str]) -> None:
    assert names_in(text) == names


@pytest.mark.parametrize(("more", "taken"), [(0, True), (1, False)], ids=["as long as remarks may be", "longer"])
def test_a_text_longer_than_remarks_may_be_is_refused_and_not_looked_through(more: int, taken: bool) -> None:
    text = " a@b.example 12345678".rjust(MOST_TEXT_CHARS + more, "x")
    content = WatchlistContent()
    assert bool(take_labelled(text, content)) is taken
    assert [one.value for one in content.identifiers] == ["a@b.example"] * taken
    record = (
        "<INDIVIDUAL><REFERENCE_NUMBER>X.1</REFERENCE_NUMBER><FIRST_NAME>Name</FIRST_NAME>"
        f"<COMMENTS1>{text}</COMMENTS1></INDIVIDUAL>"
    )
    (row,) = read(document(record))
    assert isinstance(row, ListRow if taken else BadRow)


def test_schemes_of_documents() -> None:
    assert scheme_of("Passport") == scheme_of("Número de pasaporte") == "passport"
    assert scheme_of("National Identification Number") == "national_id"
    assert (scheme_of("Pièce d'identité"), scheme_of("号"), scheme_of("")) == (
        "piece_d_identite",
        "document",
        "document",
    )


def test_a_record_without_id_or_name_is_named_and_the_rest_goes_on() -> None:
    rows = read(document("<INDIVIDUAL><COMMENTS1>x</COMMENTS1></INDIVIDUAL>" + PERSON))
    assert {line for line, _, _ in bad(rows)} == {3}
    assert [row.id for row in rows if isinstance(row, ListRow)] == ["KPi.999"]


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE CONSOLIDATED_LIST [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<CONSOLIDATED_LIST><INDIVIDUALS><INDIVIDUAL><FIRST_NAME>&b;</FIRST_NAME></INDIVIDUAL></INDIVIDUALS></CONSOLIDATED_LIST>"""
EXTERNAL = b"""<!DOCTYPE CONSOLIDATED_LIST [<!ENTITY x SYSTEM "file:///etc/hostname">]>
<CONSOLIDATED_LIST><INDIVIDUALS><INDIVIDUAL><FIRST_NAME>&x;</FIRST_NAME></INDIVIDUAL></INDIVIDUALS></CONSOLIDATED_LIST>"""


@pytest.mark.parametrize(
    "data", [BOMB, EXTERNAL, b'<!DOCTYPE x SYSTEM "http://example.org/x.dtd"><CONSOLIDATED_LIST/>']
)
def test_a_file_with_a_document_type_is_refused_whole(data: bytes) -> None:
    with pytest.raises(MalformedError, match="document type declaration"):
        read(data)


def test_other_hostile_or_foreign_files_fail_clearly() -> None:
    with pytest.raises(MalformedError, match="begins with 'html'"):
        read(b"<html/>")
    with pytest.raises(TooLargeError, match="nested deeper"):
        read(document("<INDIVIDUAL>" + "<A>" * 20))
    with pytest.raises(TooLargeError, match="tag or comment"):
        read(b"<CONSOLIDATED_LIST><!-- " + b"x" * (3 << 20))
    with pytest.raises(MalformedError, match="encoding"):
        read(b"<?xml version='1.0' encoding='no-such'?><CONSOLIDATED_LIST/>")
    rows = read(document("<INDIVIDUAL><FIRST_NAME>&undeclared;</FIRST_NAME></INDIVIDUAL>"))
    assert len(rows) == 1
    assert isinstance(rows[0], BadRow)


def test_a_record_beyond_the_limits_is_named_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_xml, "MAX_RECORD_ELEMENTS", 200)
    rows = read(document("<INDIVIDUAL>" + "<TITLE><VALUE>x</VALUE></TITLE>" * 200 + "</INDIVIDUAL>" + PERSON))
    assert bad(rows) == [(3, "", "")]
    assert [row.id for row in rows if isinstance(row, ListRow)] == ["KPi.999"]


def test_a_file_that_ends_too_early_gives_what_it_has_and_says_that_something_is_missing(real: bytes) -> None:
    rows = list(read_un_xml(io.BytesIO(real[: len(real) // 2]), OPTIONS))
    assert sum(isinstance(row, ListRow) for row in rows) >= UN_LIST.in_half
    (line, entry_id, _), *others = bad(rows)
    assert (line > 0, entry_id, others) == (True, "", []), "without an id nothing can be taken for vanished"


@given(st.binary(max_size=200), st.integers(0, 2000))
def test_no_bytes_make_the_reader_fail_otherwise(noise: bytes, at: int) -> None:
    data = document(PERSON)
    rows: list[object] = []
    with contextlib.suppress(GatewayError):
        rows.extend(read_un_xml(io.BytesIO(data[:at] + noise + data[at:]), OPTIONS))
    assert all(isinstance(row, ListRow | BadRow) for row in rows)
