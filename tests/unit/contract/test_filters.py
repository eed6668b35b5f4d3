"""Filters and page tokens: what is written is read, and whatever else comes in is refused with its field's name."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract.filters import (
    Term,
    decode_number_token,
    decode_page_token,
    encode_page_token,
    page_size,
    parse_filter,
)
from gateway.contract.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gateway.errors import InvalidRequestError

FIELDS = {"status": ("=",), "published_at": ("=", "<", "<=", ">", ">="), "case_reference": ("=",)}

values = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)
terms = st.builds(
    lambda field, value, pick: Term(field, FIELDS[field][pick % len(FIELDS[field])], value),
    st.sampled_from(sorted(FIELDS)),
    values,
    st.integers(0, 4),
)


def _named_by_refusal(read: Callable[[], object]) -> list[str]:
    try:
        read()
    except InvalidRequestError as error:
        return [violation.field for violation in error.violations]
    return []


def written(term: Term) -> str:
    quoted = term.value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{term.field} {term.operator} "{quoted}"'


@given(st.lists(terms, max_size=4), st.sampled_from((" AND ", "\tAND\n", "  AND  ")))
def test_a_filter_is_read_as_it_was_written(given_terms: list[Term], joint: str) -> None:
    assert parse_filter(joint.join(map(written, given_terms)), FIELDS) == given_terms


@settings(max_examples=300)
@given(st.text(max_size=60) | st.text(alphabet='status=<>" AND\\x', max_size=60))
def test_any_text_is_a_filter_or_names_the_filter(text: str) -> None:
    assert _named_by_refusal(lambda: parse_filter(text, FIELDS)) in ([], ["filter"])


@pytest.mark.parametrize(
    "text", ["status=published", "status = published", " status  =published ", 'status="published"']
)
def test_spaces_and_quotes_are_free(text: str) -> None:
    assert parse_filter(text, FIELDS) == [Term("status", "=", "published")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("status", "expected `field = value`"),
        ("= published", "expected `field = value`"),
        ("status =", "expected `field = value`"),
        ("status = published AND", "joined by AND"),
        ("status = published AND ", "expected `field = value`"),
        ("status = published OR status = closed", "joined by AND"),
        ("status = published status = closed", "joined by AND"),
        ('status = "published', "expected `field = value`"),
        ("colour = red", "fields are status, published_at, case_reference"),
        ("status < published", "status takes =, not <"),
        ("published_at != 2026", "not !="),
        ("case_reference = a\0b", "NUL"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message) as refused:
        parse_filter(text, FIELDS)
    assert refused.value.violations[0].field == "filter"


@given(st.lists(st.from_regex(r"\A[ -~]{0,40}\Z"), min_size=3, max_size=3), st.text(max_size=30))
def test_a_token_gives_back_its_key_under_its_filter(key: list[str], text: str) -> None:
    assert decode_page_token(encode_page_token(key, text), text, 3) == tuple(key)


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_token_counts_under_its_own_filter_alone(one: str, other: str) -> None:
    token = encode_page_token(("a", "b", "c"), one)
    if one == other:
        return
    with pytest.raises(InvalidRequestError, match="the filter changed"):
        decode_page_token(token, other, 3)


def _token(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "!",
        "é",
        "AAAA",
        "A",
        _token([]),
        _token({}),
        _token(None),
        _token("abcd"),
        _token(["t", "a", "b"]),
        _token(["t", "a", "b", "c", "d"]),
        _token(["t", "a", "b", 3]),
        _token(["t", "a", "b", None]),
        _token([encode_page_token((), ""), "a", "b", "\0"]),
        _token([1] * 4),
        base64.urlsafe_b64encode(b"[" * 300).decode().rstrip("="),
        base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="),
    ],
)
def test_a_token_that_no_list_gave_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        decode_page_token(token, "", 3)
    assert [violation.field for violation in refused.value.violations] == ["page_token"]


@given(st.integers(1, 10**18 - 1), st.integers(0, (1 << 31) - 1))
def test_a_token_of_numbers_gives_them_back(first: int, second: int) -> None:
    token = encode_page_token((str(first), str(second)), "")
    assert decode_number_token(token, "", range(1, 10**18), range(1 << 31)) == (first, second)
    assert decode_number_token("", "", range(1, 10**18), range(1 << 31)) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "1"),
        ("1", ""),
        ("", "1"),
        ("1", "-1"),
        ("1", "+1"),
        ("1", "1.0"),
        ("1", "1_0"),
        (" 1", "1"),
        ("²", "1"),
        ("٣", "1"),
        ("0", "1"),
        ("1", str(1 << 31)),
        ("1" * 19, "1"),
        ("1", "9" * 5_000),
    ],
)
def test_a_token_of_what_arent_its_numbers_is_refused(first: str, second: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        decode_number_token(encode_page_token((first, second), ""), "", range(1, 10**18), range(1 << 31))
    assert [violation.field for violation in refused.value.violations] == ["page_token"]


@settings(max_examples=300)
@given(st.text(max_size=80))
def test_any_text_is_a_token_or_names_the_token(text: str) -> None:
    assert _named_by_refusal(lambda: decode_page_token(text, "", 3)) in ([], ["page_token"])


def test_no_token_is_the_first_page() -> None:
    assert decode_page_token("", "status = published", 3) is None


@pytest.mark.parametrize(
    ("asked", "given_rows"), [(0, DEFAULT_PAGE_SIZE), (1, 1), (MAX_PAGE_SIZE, MAX_PAGE_SIZE), (10**6, MAX_PAGE_SIZE)]
)
def test_page_sizes(asked: int, given_rows: int) -> None:
    assert page_size(asked) == given_rows
