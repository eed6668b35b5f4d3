"""Targets: names as people and files write them."""

from __future__ import annotations

import json
import unicodedata

from gateway.screening.compare import compare, evaluate
from gateway.screening.identifiers import compare_identifiers, identifier_keys
from gateway.screening.index.keys import index_keys, query_keys
from gateway.screening.prepared_name import prepare
from gateway.screening.result import MatchClass, NameKind
from gateway.translation.plain_text import printable, printable_json, printable_line
from tests.fuzz.target import target, text_of

KINDS = tuple(NameKind)
HARMFUL = ("Cc", "Cf", "Cs", "Zl", "Zp")
NAMES = ("賀一誠|Ho Iat Seng", "騰訊控股有限公司|Tencent Holdings Ltd", "MV 0CEAN STAR|Осеаn Stаr", "\u202eOCSOC|COSCO")


@target(lambda: [bytes([number]) + name.encode() for number, name in enumerate(NAMES)], max_bytes=600)
def name_pair(data: bytes) -> None:
    """Two names compare alike both ways, and what agrees shares a key; the first byte chooses the kind."""
    kind = KINDS[data[0] % len(KINDS)] if data else NameKind.UNKNOWN
    first, _, second = text_of(data[1:]).partition("|")
    query, listed = prepare(first, kind), prepare(second, kind)
    found = evaluate(query, listed)
    assert found.match_class == compare(listed, query).match_class
    assert found.explain().score == found.score
    if found.match_class > MatchClass.NONE:
        assert query_keys(query) & index_keys(listed)
        assert query_keys(listed) & index_keys(query)
    if index_keys(query):
        assert query_keys(query) & index_keys(query)


@target(lambda: [b"container|MSKU1234565|MSKU 123456-5", b"|9074729|IMO9074729"], max_bytes=300)
def identifier_pair(data: bytes) -> None:
    """Identifiers that agree share a key."""
    scheme, _, rest = text_of(data).partition("|")
    first, _, second = rest.partition("|")
    if compare_identifiers((scheme, first), (scheme, second)) is not None:
        assert set(identifier_keys(scheme, first)) & set(identifier_keys(scheme, second))


@target(lambda: ["a\x1b[2Jb\u202ec\u2028d".encode(), "é中\n".encode()], max_bytes=600)
def terminal_text(data: bytes) -> None:
    """What is printed has no control characters, and a JSON document keeps its value."""
    text = text_of(data)
    assert all(unicodedata.category(c) not in HARMFUL for c in printable_line(text))
    assert all(c == "\n" or unicodedata.category(c) not in HARMFUL for c in printable(text))
    assert json.loads(printable_json(json.dumps(text, ensure_ascii=False))) == text
