"""Tables in the encodings and delimiters that people use: found in the file or named, in all four kinds alike."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from random import Random
from typing import Any

import opencc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError
from gateway.formats.alerts.alert_lines import AlertLine
from gateway.formats.alerts.csv_alerts import read_alert_csv
from gateway.formats.declarations.declarations import DECLARATION_MAPPINGS, DeclarationRow, read_declarations
from gateway.formats.lists.csv_lists import read_csv as read_list
from gateway.formats.lists.rows import ListRow
from gateway.formats.shipments.csv_files import read_csv as read_shipments
from gateway.formats.shipments.rows import ItemRow
from gateway.formats.tables.encodings import recognise
from gateway.formats.tables.lines import MAX_LINE_BYTES, SAMPLE_BYTES, Dialect, find_delimiter, table_lines
from tests.support.public_files import REFERENCE
from tests.support.watchlists import OPTIONS

SIMPLIFIED = (
    ("湖南锑业进出口有限责任公司", "未申报的锑锭，纯度99.65%"),
    ("范例金属（深圳）有限公司", "氧化锑；经深圳湾口岸出口"),
    ("广西钨砂贸易公司", "涉嫌伪报品名、逃避出口管制"),
)
TRADITIONAL = (
    ("範例金屬有限公司", "未申報之銻錠，純度99.65%"),
    ("香港礦產貿易有限公司", "葵涌貨櫃碼頭；走私鎢砂及稀土"),
    ("澳門進出口股份有限公司", "涉嫌偽報品名、逃避出口管制"),
)
PORTUGUESE = (
    ("Exportação de Minérios São Lourenço, Lda", "Antimónio não declarado"),
    ("Comércio Internacional da Praia Grande", "Declaração falsa de tungsténio"),
)
Texts = Sequence[tuple[str, str]]

FOUND = [
    ("utf-8", SIMPLIFIED),
    ("utf-8", TRADITIONAL),
    ("utf-8-sig", TRADITIONAL),
    ("gb18030", SIMPLIFIED),
    ("gbk", SIMPLIFIED),
    ("big5", TRADITIONAL),
    ("utf-16", SIMPLIFIED),
    ("utf-16", TRADITIONAL),
    ("utf-16-le", PORTUGUESE),
    ("utf-16-be", TRADITIONAL),
]
"""Encodings that need no name."""


def written(header: Sequence[str], rows: Iterable[Sequence[str]], encoding: str, delimiter: str) -> io.BytesIO:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *rows])
    return io.BytesIO(text.getvalue().encode(encoding))


def alerts(texts: Texts, encoding: str, delimiter: str, dialect: Dialect) -> Texts:
    rows = [("C-1", name, narrative) for name, narrative in texts]
    file = written(("case_reference", "exporter", "narrative_zh_hans"), rows, encoding, delimiter)
    read = list(read_alert_csv(file, dialect))
    assert all(isinstance(row, AlertLine) for row in read), read
    contents = [row.content for row in read if isinstance(row, AlertLine)]
    return [(content.subject.parties[0].names[0].text, content.narratives[0].text) for content in contents]


MAPPING = DECLARATION_MAPPINGS.parse(
    '[columns]\ndeclaration_number = "No"\nhs_code = "Code"\nexporter_id = "出口商"\ngoods_description = "品名"\n'
    '[constants]\ndate = "2026-01-10"\n',
    source="test.toml",
)


def declarations(texts: Texts, encoding: str, delimiter: str, dialect: Dialect) -> Texts:
    rows = [("1", "811010", name, description) for name, description in texts]
    read = list(
        read_declarations(written(("No", "Code", "出口商", "品名"), rows, encoding, delimiter), MAPPING, dialect)
    )
    assert all(isinstance(row, DeclarationRow) for row in read), read
    return [(row.exporter_id, row.goods_description) for row in read if isinstance(row, DeclarationRow)]


def lists(texts: Texts, encoding: str, delimiter: str, dialect: Dialect) -> Texts:
    rows = [(f"A-{at}", "organisation", name, reason) for at, (name, reason) in enumerate(texts)]
    read = list(read_list(written(("id", "kind", "name", "reason"), rows, encoding, delimiter), OPTIONS, None, dialect))
    assert all(isinstance(row, ListRow) for row in read), read
    return [(row.content.names[0].text, row.content.reason) for row in read if isinstance(row, ListRow)]


def shipments(texts: Texts, encoding: str, delimiter: str, dialect: Dialect) -> Texts:
    rows = [
        (f"S-{at}", "export", "2026-01-10T12:00:00+08:00", name, description)
        for at, (name, description) in enumerate(texts)
    ]
    header = ("record_id", "procedure", "declared_at", "exporter_name", "description")
    read = list(read_shipments(written(header, rows, encoding, delimiter), None, dialect))
    assert all(isinstance(row, ItemRow) for row in read), read
    items: list[Any] = [row.item for row in read if isinstance(row, ItemRow)]
    return [(item.parties[0].names[0].text, item.goods[0].description) for item in items]


KINDS = [alerts, declarations, lists, shipments]
Kind = Callable[[Texts, str, str, Dialect], Texts]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(("encoding", "texts"), FOUND)
def test_encoding_and_delimiter_are_found(kind: Kind, encoding: str, texts: Texts, delimiter: str) -> None:
    dialect = Dialect()
    assert kind(texts, encoding, delimiter, dialect) == list(texts)
    assert dialect.delimiter == delimiter
    assert dialect.guess == (dialect.encoding if dialect.encoding in ("gb18030", "big5") else "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("encoding", "texts"),
    [
        *((each, SIMPLIFIED) for each in ("gb18030", "utf-16", "utf-16-le", "utf-8")),
        *((each, TRADITIONAL) for each in ("big5", "big5hkscs", "gb18030", "utf-16-be")),
    ],
)
def test_encoding_and_delimiter_are_named(kind: Kind, encoding: str, texts: Texts) -> None:
    dialect = Dialect(encoding, "|")
    assert kind(texts, encoding, "|", dialect) == list(texts)
    assert (dialect.encoding, dialect.guess) == (encoding, "")


@pytest.mark.parametrize("kind", [alerts, lists, shipments])
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_western_encodings_are_named_since_any_bytes_are_text_in_them(kind: Kind, encoding: str) -> None:
    assert kind(PORTUGUESE, encoding, ",", Dialect(encoding)) == list(PORTUGUESE)
    with pytest.raises(AssertionError, match="is not utf-8; --encoding cp1252 reads"):
        kind(PORTUGUESE, encoding, ",", Dialect())


def test_what_a_mapping_says_comes_after_what_is_given() -> None:
    said = DECLARATION_MAPPINGS.parse(
        'encoding = "big5"\ndelimiter = ";"\n[columns]\ndeclaration_number = "No"\nhs_code = "Code"\n'
        'goods_description = "Text"\n[constants]\ndate = "2026-01-10"\n',
        source="test.toml",
    )
    for dialect, encoding, delimiter in ((Dialect(), "big5", ";"), (Dialect("utf-8", "\t"), "utf-8", "\t")):
        file = written(("No", "Code", "Text"), [("1", "811010", "銻錠")], encoding, delimiter)
        (row,) = read_declarations(file, said, dialect)
        assert isinstance(row, DeclarationRow)
        assert row.goods_description == "銻錠"


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        (Dialect("utf-7"), "encoding 'utf-7' is unknown; use one of 'utf-8'"),
        (Dialect("", ";;"), "delimiter ';;' must be one ASCII character"),
    ],
)
def test_what_cant_be_is_refused(dialect: Dialect, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_alert_csv(io.BytesIO(b"case_reference\n"), dialect)


def test_a_header_that_nothing_parts_names_the_option_that_helps() -> None:
    with pytest.raises(ConfigurationError, match="--delimiter names what does"):
        read_list(io.BytesIO(b"id|kind|name\n"), OPTIONS)


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("id", ","),
        ("a;b", ";"),
        ("Name, English;Type;Code", ";"),
        ('"Name; all","Type","x"', ","),
        ("a\tb, c\td", "\t"),
    ],
)
def test_delimiters_in_headers(header: str, delimiter: str) -> None:
    assert find_delimiter(header) == delimiter


def lines_of(data: bytes, dialect: Dialect | None = None) -> list[tuple[int, str, str]]:
    return list(table_lines(io.BytesIO(data), dialect or Dialect()))


def test_the_first_line_that_isnt_ascii_may_be_anywhere() -> None:
    plain = b"plain line\n" * (SAMPLE_BYTES // 5)
    dialect = Dialect()
    found = lines_of(plain + "".join(f"{name},{text}\n" for name, text in SIMPLIFIED).encode("gb18030"), dialect)
    assert [text for _, text, _ in found[-3:]] == [f"{name},{text}" for name, text in SIMPLIFIED]
    assert dialect.guess == "gb18030"


def test_some_bad_lines_dont_make_a_file_in_utf_8_another() -> None:
    good = "".join(f"{name},{text}\n" for name, text in TRADITIONAL).encode()
    dialect = Dialect()
    found = lines_of("銻".encode("big5") + b"\n" + good, dialect)
    assert [bool(fault) for _, _, fault in found] == [True, False, False, False]
    assert (dialect.encoding, dialect.guess) == ("utf-8", "")


GUESSES = {"gb18030 of simplified": ("gb18030", "Hans"), "gb18030": ("gb18030", "Hant"), "big5": ("big5", "Hant")}


def held_out(script: str) -> list[str]:
    """Names and prose that the recogniser's tables weren't made from, shuffled."""
    pairs = json.loads((REFERENCE / "name_pairs.json").read_text("utf-8"))
    to_simplified = opencc.OpenCC("t2s").convert
    names = [pair[side] for pair in pairs for side in "ab" if any("\u4e00" <= char <= "\u9fff" for char in pair[side])]
    catalogue = (resources.files("gateway.translation") / f"catalogues/zh_{script}.po").read_text("utf-8")
    prose = [text for text in re.findall(r'^msgstr "(.+)"$', catalogue, re.MULTILINE) if not text.isascii()]
    texts = [name for name in names if (to_simplified(name) == name) == (script == "Hans")] + prose
    Random(1).shuffle(texts)
    return texts


@pytest.mark.parametrize("made", GUESSES)
@pytest.mark.parametrize(("size", "share"), [(1, 0.1), (3, 0.6), (10, 0.95)])
def test_a_guess_is_never_wrong_and_seldom_missing_for_ten_lines(made: str, size: int, share: float) -> None:
    encoding, script = GUESSES[made]
    texts = [text.encode(encoding, "ignore") for text in held_out(script)]
    guesses = [recognise(texts[at : at + size]).encoding for at in range(0, len(texts) - size, size)]
    assert set(guesses) <= {encoding, ""}
    assert guesses.count(encoding) >= share * len(guesses)


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [
        ("cp949", ["삼성전자 주식회사", "경기도 수원시 영통구", "무역회사 수출입 신고서", "텅스텐 분말 무역"]),
        ("euc_jp", ["株式会社東京商事", "日本郵船株式会社横浜支店", "大阪府大阪市中央区本町", "タングステン粉末"]),
        ("shift_jis", ["株式会社東京商事", "日本郵船株式会社横浜支店"]),
        ("cp1252", [text for row in PORTUGUESE for text in row]),
        ("koi8-r", ["Общество с ограниченной ответственностью", "Сурьма в слитках"]),
    ],
)
def test_other_encodings_are_not_taken_for_chinese_ones(encoding: str, texts: list[str]) -> None:
    assert recognise([text.encode(encoding) for text in texts if not text.isascii()]).encoding == ""


def test_what_may_be_either_is_refused_and_shown_in_both() -> None:
    data = "id,name\n1,林海\n".encode("gb18030")
    _, (_, text, fault) = lines_of(data)
    assert (text, fault) == (
        "",
        "byte 3 of the line is not utf-8; --encoding gb18030 reads '林海', --encoding big5 reads '輿漆'",
    )
    assert lines_of(data, Dialect("gb18030"))[1] == (2, "1,林海", "")
    with pytest.raises(ConfigurationError, match="--encoding gb18030 reads '名称'"):
        read_list(io.BytesIO("id,kind,名称\n".encode("gb18030")), OPTIONS)


def test_a_broken_line_among_many_spoils_itself_alone() -> None:
    lines = [f"{name},{text}\n".encode("gb18030") for name, text in SIMPLIFIED * 4]
    dialect = Dialect()
    found = lines_of(b"".join([*lines[:5], b"\xff\xff,x\n", *lines[5:]]), dialect)
    assert (dialect.guess, [number for number, _, fault in found if fault]) == ("gb18030", [6])


class Endless:
    """A file without an end that counts what is read of it."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self.bytes = 0

    def readline(self, _: int = -1) -> bytes:
        self.bytes += len(self._line)
        return self._line


def test_a_guess_reads_no_more_than_its_sample() -> None:
    file: Any = Endless("品名：锑锭，纯度高\n".encode("gb18030"))
    assert next(table_lines(file, Dialect()))[1] == "品名：锑锭，纯度高"
    assert file.bytes <= SAMPLE_BYTES + 100


class TestUtf16:
    """Lines whose ends are two bytes."""

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=9)))
    def test_lines_come_out_as_they_went_in(self, texts: list[str]) -> None:
        data = codecs.BOM_UTF16_LE + "".join(f"{text}\r\n" for text in ["head", *texts]).encode("utf-16-le")
        assert [text for _, text, _ in lines_of(data)][1:] == texts

    def test_half_a_character_spoils_its_line_alone(self) -> None:
        data = "head\nlone \ud800 surrogate\nlast\n".encode("utf-16-le", "surrogatepass")
        assert [(text, bool(fault)) for _, text, fault in lines_of(data)] == [
            ("head", False),
            ("", True),
            ("last", False),
        ]
        assert [bool(fault) for _, _, fault in lines_of("head\ncut".encode("utf-16-le")[:-1])] == [False, True]

    def test_a_line_that_is_too_long_is_skipped_without_being_held(self) -> None:
        data = ("head\n" + "x" * (3 * MAX_LINE_BYTES) + "\nlast\n").encode("utf-16-be")
        found = lines_of(data)
        assert [(number, text) for number, text, _ in found] == [(1, "head"), (2, ""), (3, "last")]
        assert "longer than" in found[1][2]


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail(data: bytes) -> None:
    found = lines_of(data)
    assert [number for number, _, _ in found] == list(range(1, len(found) + 1))
