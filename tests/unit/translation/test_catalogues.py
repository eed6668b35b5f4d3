"""The catalogues hold the texts that there are now, and are complete for the report and the ways out of errors."""

from __future__ import annotations

import re
import string
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from gateway.tracing.rules.links import LinkKind
from gateway.translation.labels import LABELLED_WORDS, LINK
from gateway.translation.messages import CATALOGUES
from scripts import catalogues

FILES = sorted(CATALOGUES.glob("*.po"))
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)

COMPLETE = (
    "gateway/tracing/report/",
    "gateway/translation/",
    catalogues.RULES,
    "gateway/cli/history/trace_terminal.py",
)
"""Files whose texts must be translated; elsewhere the ways out of errors must."""


def read(file: Path) -> Catalog:
    with file.open("rb") as text:
        return read_po(text)


def texts(message: Message) -> tuple[str, ...]:
    return message.id if isinstance(message.id, tuple) else (message.id,)


def translations(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


def placeholders(text: str) -> set[tuple[str, str, str]]:
    return {
        (name, spec or "", conversion or "")
        for _, name, spec, conversion in string.Formatter().parse(text)
        if name is not None
    }


@pytest.fixture(scope="module")
def template() -> Catalog:
    return catalogues.collected()


@pytest.mark.drift
def test_the_template_has_the_texts_that_there_are(template: Catalog) -> None:
    assert catalogues.TEMPLATE.read_bytes() == catalogues.text_of(template), "run `make catalogues`"


@pytest.mark.drift
@each_file
def test_catalogues_have_the_texts_of_the_template(file: Path, template: Catalog) -> None:
    current = catalogues.text_of(catalogues.brought_up_to_date(file, template))
    assert file.read_bytes() == current, "run `make catalogues`"


@pytest.mark.drift
@each_file
def test_what_is_compiled_is_what_is_written(file: Path) -> None:
    compiled = BytesIO()
    write_mo(compiled, read(file))
    assert file.with_suffix(".mo").read_bytes() == compiled.getvalue(), "run `make catalogues`"


@each_file
def test_the_report_and_ways_out_are_translated(file: Path) -> None:
    missing = [
        texts(message)[0]
        for message in read(file)
        if message.id
        and (
            catalogues.WAYS_OUT in message.auto_comments
            or any(name.startswith(COMPLETE) for name, _ in message.locations)
        )
        and not all(translations(message))
    ]
    assert missing == []


@each_file
def test_translations_have_the_placeholders_of_the_text(file: Path) -> None:
    wrong = {}
    for message in read(file):
        for translated in filter(None, translations(message) if message.id else ()):
            known = set().union(*map(placeholders, texts(message)))
            if placeholders(translated) - known or known - placeholders(translated) - {("number", "", "")}:
                wrong[texts(message)[0]] = translated
    assert wrong == {}


@each_file
def test_nothing_is_left_uncertain(file: Path) -> None:
    assert [message.id for message in read(file) if message.id and message.fuzzy] == []


def test_kinds_of_links_are_those_of_the_trace() -> None:
    assert set(LABELLED_WORDS[LINK]) == set(LinkKind)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("_('a')", ["a"]),
        ("gettext('a {b}', b=c)", ["a {b}"]),
        ("ngettext('one', 'many', n)", [("one", "many")]),
        ("marked('a', 'b')", ["a", "b"]),
        ("x = N_('a')", ["a"]),
        ("class E:\n    way_out = ('a ' 'b')", ["a b"]),
        ("class E:\n    ways_out: M = {'k': 'a'}", ["a"]),
        (
            "@app.command()\n@reports_errors\ndef f():\n    '''A\n    b.\n\n    \\b\n    Example:\n      c\n    '''",
            ["A b."],
        ),
        ("other('a')", []),
    ],
)
def test_texts_of_modules_are_found(source: str, found: list[str]) -> None:
    assert [message.text for message in catalogues.messages_in(source)] == found


WRITTEN = re.compile(r"[A-Za-zÀ-ÿ]{4,}")


@pytest.mark.parametrize("name", ["zh_Hans", "zh_Hant"])
def test_a_chinese_catalogue_has_no_words_of_the_portuguese_one(name: str) -> None:
    portuguese = {(one.context, one.id): one.string for one in read(CATALOGUES / "pt.po") if one.id}
    foreign = [
        message.id
        for message in read(CATALOGUES / f"{name}.po")
        if message.id
        and message.string == portuguese.get((message.context, message.id))
        and message.string not in (message.id, "")
        and any(WRITTEN.search(re.sub(r"\{[^}]*\}", "", text)) for text in translations(message))
    ]
    assert foreign == []
