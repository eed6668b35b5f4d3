"""The written page: its policy names its script, nothing in it leads outside, its words and numbers are the code's."""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from gateway.contract import limits
from gateway.contract.ids import ALERT_CHANNELS, KEPT, MAX_ORIGIN_CHARS, Channel
from gateway.evidence.codec import bundle
from gateway.evidence.codec.bundle_readme import (
    FORMAT,
    FORMAT_WITH_TIME_STAMP,
    FORMAT_WITH_WITNESSES,
    FORMAT_WITHOUT_STEPS,
)
from gateway.evidence.page.contract_table import contract_table
from gateway.evidence.page.words import PAGE_WORDS, page_words
from gateway.evidence.page.writer import evidence_page, page_script
from gateway.evidence.service.report import STEPS
from gateway.feed import codec as feed
from gateway.tlog import checkpoint, ml_dsa, note, proof_file
from gateway.tlog.merkle import MAX_TREE_SIZE
from gateway.translation.messages import LANGUAGES, in_language
from gateway.trust.codec import directory
from gateway.v1 import alert_pb2

FILES = {"manifest.json": b"{}\n", "salt.bin": bytes(range(256)), "alert.json": b"</script><script>alert(1)</script>"}


class Markup(HTMLParser):
    """Elements of a page with their attributes, and the text in scripts and styles."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[dict[str, str | None], str]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] in ("script", "style") and data.strip():
            self.texts.append(({"tag": self.elements[-1][0]} | self.elements[-1][1], data))

    @property
    def policy(self) -> str:
        (policy,) = [had["content"] for _, had in self.elements if had.get("http-equiv") == "Content-Security-Policy"]
        assert policy
        return policy

    def data(self, name: str) -> dict[str, object]:
        (text,) = [text for had, text in self.texts if had.get("id") == name]
        found: dict[str, object] = json.loads(text)
        return found


def test_the_policy_allows_the_page_s_own_script_and_style_and_nothing_else() -> None:
    markup = Markup(evidence_page(FILES))
    code = {had["tag"]: text for had, text in markup.texts if had.get("type") != "application/json"}
    hashes = {tag: base64.b64encode(sha256(text.encode()).digest()).decode() for tag, text in code.items()}
    assert markup.policy == (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert code["script"] == page_script()
    assert [tag for tag, _ in markup.elements].count("script") == 4, "the script, and words, contract and evidence"


def test_nothing_leads_outside_and_no_text_becomes_markup() -> None:
    page = evidence_page(FILES, b"note")
    markup = Markup(page)
    assert {name for _, had in markup.elements for name in had} & {"src", "href", "action", "style", "srcdoc"} == set()
    assert not any(name.startswith("on") for _, had in markup.elements for name in had)
    text = page.decode()
    assert not re.search(r"https?:|wss?:|url\(|@import|@font-face", text)
    script = page_script()
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(", script) == []
    assert re.findall(r"fetch\(|XMLHttp|WebSocket|import\(|sendBeacon|EventSource", script) == []
    assert "</script" not in script
    assert "<!--" not in script


def test_data_cannot_end_its_element() -> None:
    hostile = "</script><script>\u2028<!--&amp;"
    markup = Markup(evidence_page({hostile: b"x"}))
    assert markup.data("evidence")["files"] == {hostile: base64.b64encode(b"x").decode()}


def test_the_same_evidence_is_the_same_page() -> None:
    page = evidence_page(FILES, b"note")
    assert evidence_page(dict(reversed(FILES.items())), b"note") == page
    assert evidence_page(FILES) != page
    markup = Markup(page)
    given = {name: base64.b64encode(content).decode() for name, content in FILES.items()}
    assert markup.data("evidence") == {"files": given, "directory": base64.b64encode(b"note").decode()}
    assert Markup(evidence_page()).data("evidence") == {"files": None, "directory": None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_written_in_the_language_of_who_writes_it(language: str) -> None:
    with in_language(language):
        markup = Markup(evidence_page())
        assert ("html", {"lang": language}) in markup.elements
        assert markup.data("words") == page_words()
        assert markup.data("contract") == contract_table()


def test_each_sentence_of_the_script_has_words_and_no_words_are_left_over() -> None:
    script = page_script()
    said = set(re.findall(r'(?:refuse|sentence)\("([a-z_]+)"|new Refusal\("([a-z_]+)"|facts: \[+"([a-z_]+)"', script))
    assert {name for names in said for name in names if name} <= PAGE_WORDS.keys()
    used = set(re.findall(r'"([a-z_0-9]+)"|words\.([a-z_]+)|\b(passed|failed|absent)\b', script))
    made = {f"{kind}_{end}" for kind, ends in MADE.items() for end in ends}
    assert PAGE_WORDS.keys() <= {name for names in used for name in names if name} | made


MADE = {"source": ("chosen", "page", "bundle"), "finding": ("corrected", "withdrawn")}
"""Names that the script puts together."""


def test_each_kind_and_outcome_has_words() -> None:
    words = page_words()
    assert set(words["kinds"]) == {field.name for field in alert_pb2.AlertEvent.DESCRIPTOR.oneofs[0].fields}
    assert set(words["outcomes"]) == {"1", "2", "3"}
    assert set(words["steps"]) >= set(STEPS.values())


def test_the_table_has_every_message_that_an_event_may_hold() -> None:
    table = contract_table()
    for name, fields in table["messages"].items():
        assert {field["of"] for field in fields if field["type"] == "message"} <= table["messages"].keys(), name
        assert {field["of"] for field in fields if field["type"] == "enum"} <= table["enums"].keys(), name
    assert [field["number"] for field in table["messages"]["AlertEvent"]] == list(range(1, 18))
    assert {field.get("oneof") for field in table["messages"]["AlertEvent"]} == {None, "event"}
    assert table["enums"]["Priority"]["1"] == ["PRIORITY_A", "A"]
    assert not any("oneof" in field for field in table["messages"]["GoodsItem"]), "optional is no alternative"


CONSTANTS = {
    "HASH_BYTES": 32,
    "PUBLIC_KEY_BYTES": note.PUBLIC_KEY_BYTES,
    "SIGNATURE_BYTES": note.SIGNATURE_BYTES,
    "MAX_NOTE_BYTES": note.MAX_NOTE_BYTES,
    "MAX_SIGNATURES": note.MAX_SIGNATURES,
    "MAX_CHECKPOINT_BYTES": checkpoint.MAX_BODY_BYTES,
    "MAX_PROOF_BYTES": proof_file.MAX_PROOF_BYTES,
    "MAX_EXTRA_BYTES": proof_file.MAX_EXTRA_BYTES,
    "MAX_HASHES": proof_file.MAX_HASHES,
    "MAX_NUMBER": MAX_TREE_SIZE,
    "ML_DSA_KEY_BYTES": ml_dsa.PUBLIC_KEY_BYTES,
    "ML_DSA_SIGNATURE_BYTES": ml_dsa.SIGNATURE_BYTES,
    "TIMESTAMP_BYTES": 8,
    "ED25519": note.SignatureType.ED25519,
    "COSIGNATURE": note.SignatureType.COSIGNATURE,
    "ML_DSA_44": note.SignatureType.ML_DSA_44,
    "MAX_ORIGIN_CHARS": MAX_ORIGIN_CHARS,
    "MAX_DIRECTORY_BYTES": directory.MAX_DIRECTORY_BYTES,
    "MAX_JSON_DEPTH": 32,
    "MAX_AUTHORITIES": directory.MAX_AUTHORITIES,
    "MAX_KEYS_PER_NODE": directory.MAX_KEYS_PER_NODE,
    "DIRECTORY_FORMAT": directory.FORMAT,
    "DIRECTORY": bundle.DIRECTORY,
    "MAX_FILE_BYTES": bundle.MAX_FILE_BYTES,
    "MAX_EVENTS": bundle.MAX_EVENTS,
    "MAX_BUNDLE_BYTES": bundle.MAX_BUNDLE_BYTES,
    "MAX_NAME_CHARS": 200,
    "README": bundle.README,
    "MANIFEST": bundle.MANIFEST,
    "MAX_HEADER_BYTES": limits.MAX_HEADER_BYTES,
    "ENTRY_FORMAT": feed.FORMAT,
    "ENTRY_FORMAT_AFTER": feed.FORMAT_AFTER,
    "ENTRY_TYPE": "AlertEvent",
    "SALT_BYTES": limits.SALT_BYTES,
}


@pytest.mark.drift
def test_numbers_and_names_in_the_script_are_the_code_s() -> None:
    script = page_script()
    stated = dict(re.findall(r'^const ([A-Z_0-9]+) = ((?:"[^"]*"|[0-9xn<* -]+));', script, flags=re.MULTILINE))
    values = {name: eval(re.sub(r"(?<=\d)n", "", text)) for name, text in stated.items()}  # noqa: S307  # our own file
    assert {name: values.get(name) for name in CONSTANTS} == CONSTANTS
    arrays = dict(re.findall(r"^const (\w+) = \[([^\]]*)\];", script, flags=re.MULTILINE))
    lists = {name: re.findall(r'"([^"]+)"', text) for name, text in arrays.items()}
    assert lists["KEPT"] == [*KEPT]
    assert {*lists["CHANNELS"], *lists["KEPT"]} == {*Channel}
    assert lists["ALERT_CHANNELS"] == [*ALERT_CHANNELS]
    assert lists["FORMATS"] == [FORMAT_WITH_WITNESSES, FORMAT_WITH_TIME_STAMP, FORMAT, FORMAT_WITHOUT_STEPS]
    steps = re.findall(r'^  (\d+): "([a-z ]+)",$', script, flags=re.MULTILINE)
    assert {int(number): name for number, name in steps} == STEPS


@pytest.mark.drift
def test_the_script_is_for_reading() -> None:
    lines = page_script().splitlines()
    assert max(map(len, lines)) <= 120
    names = re.findall(r"^(?:async )?(?:function\*?|const|let|class) (\w+)", page_script(), flags=re.MULTILINE)
    assert len(names) == len(set(names)), "one name, one meaning"
