"""Filters (a subset of AIP-160), orders (AIP-132) and page tokens (AIP-158) of lists."""

from __future__ import annotations

import base64
import binascii
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from gateway.contract.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gateway.contract.suggestions import did_you_mean
from gateway.errors import InvalidRequestError, Violation

MAX_TOKEN_CHARS = 4096
"""Longest page token, as in the contract: a longer one could exhaust the stack, or the digits of an integer."""

_TERM = re.compile(r'\s*([a-z_]+)\s*(<=|>=|!=|=|<|>)\s*("(?:[^"\\]|\\.)*"|[^\s"]+)\s*')
EQUAL = ("=",)
ORDERED = ("=", "<", "<=", ">", ">=")
"""Operators of fields that have equality alone, or an order too."""

_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_AND = re.compile(r"AND\s", re.ASCII)

_DURATION = re.compile(r"([0-9]{1,5})([mhd])", re.ASCII)
_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}

MOMENTS = range(1, 10**15)
"""Times in page tokens, in milliseconds since 1970: all pages of a list are by the time of its first page."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of a filter."""

    field: str
    operator: str
    value: str


def parse_filter(text: str, fields: Mapping[str, Sequence[str]]) -> list[Term]:
    """Parses a filter.

    Args:
        text: e.g. `status = published AND priority = A`; empty for no condition.

    Raises:
        InvalidRequestError: bad syntax, an unknown field or operator.
    """
    terms: list[Term] = []
    at = 0
    if not text.strip():
        return terms
    while True:
        match = _TERM.match(text, at)
        if match is None:
            raise _invalid(f"at character {at + 1}: expected `field = value`")
        terms.append(_term(match, fields))
        at = match.end()
        if at == len(text):
            return terms
        joint = _AND.match(text, at)
        if joint is None:
            raise _invalid(f"at character {at + 1}: conditions are joined by AND")
        at = joint.end()


def _term(match: re.Match[str], fields: Mapping[str, Sequence[str]]) -> Term:
    field, relation, value = match.groups()
    if field not in fields:
        likely = did_you_mean(field, fields) or "; fields are " + ", ".join(fields)
        raise _invalid(f"there is no field {field!r}{likely}")
    if relation not in fields[field]:
        raise _invalid(f"{field} takes {' '.join(fields[field])}, not {relation}")
    if "\0" in value:
        raise _invalid(f"{field}: a value has no NUL character")
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return Term(field, relation, value)


def parse_order(text: str, allowed: Sequence[str]) -> str:
    """The order of a list (AIP-132); the first allowed one for an empty text.

    Raises:
        InvalidRequestError: another one, with those that are allowed.
    """
    order = " ".join(text.split()) or allowed[0]
    if order not in allowed:
        likely = did_you_mean(order, allowed)
        message = f"{order!r} isn't one of {', '.join(allowed)}{likely}"
        raise InvalidRequestError([Violation("order_by", "order_by.form", message)])
    return order


def compared(column: Any, term: Term, value: str | int) -> Any:
    """The condition that a column has to the value the relation that the term names."""
    return _COMPARISONS[term.operator](column, value)


def invalid_value(term: Term, expected: str) -> InvalidRequestError:
    """The error for an invalid value."""
    likely = did_you_mean(term.value, expected.removeprefix("one of ").split(", "))
    return _invalid(f"{term.field}: {term.value!r} isn't {expected}{likely}")


def unix_ms(term: Term) -> int:
    """Milliseconds since 1970; raises InvalidRequestError without a zone."""
    try:
        time = datetime.fromisoformat(term.value)
    except ValueError as error:
        raise invalid_value(term, "an RFC 3339 time") from error
    if time.tzinfo is None:
        raise invalid_value(term, "an RFC 3339 time with its zone, e.g. 2026-01-15T08:00:00+08:00")
    return int(time.timestamp() * 1000)


def duration_ms(term: Term) -> int:
    """Milliseconds of a duration: a whole number with m, h or d, e.g. `90m`; raises InvalidRequestError."""
    match = _DURATION.fullmatch(term.value)
    if match is None:
        raise invalid_value(term, "a duration: up to five digits with m, h or d, e.g. 90m, 2h, 7d")
    return int(match[1]) * _UNIT_MS[match[2]]


def page_size(requested: int) -> int:
    """The default for 0, at most the maximum."""
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def encode_page_token(last: Sequence[str], filter_text: str) -> str:
    """Encodes the last row's key, bound to this filter."""
    body = json.dumps([_tag(filter_text), *last], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def decode_page_token(token: str, filter_text: str, parts: int) -> tuple[str, ...] | None:
    """The token's key, None if empty; raises InvalidRequestError for another filter's token."""
    if not token:
        return None
    if len(token) > MAX_TOKEN_CHARS:
        raise _token_invalid()
    try:
        values = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise _token_invalid() from error
    if not isinstance(values, list) or len(values) != parts + 1:
        raise _token_invalid()
    if not all(isinstance(value, str) and value.isprintable() for value in values):
        raise _token_invalid()
    if values[0] != _tag(filter_text):
        raise InvalidRequestError(
            [Violation("page_token", "page_token.filter", "the filter changed; start again without a token")]
        )
    return tuple(values[1:])


def decode_number_token(token: str, filter_text: str, *parts: range) -> tuple[int, ...] | None:
    """As `decode_page_token` for numbers; `parts`: the range of each, not negative."""
    texts = decode_page_token(token, filter_text, len(parts))
    if texts is None:
        return None
    return tuple(token_number(text, possible) for text, possible in zip(texts, parts, strict=True))


def token_number(text: str, possible: range) -> int:
    """A number in a token, not negative; raises InvalidRequestError for another."""
    # Length first: int() refuses thousands of digits.
    if len(text) > len(str(possible[-1])) or not text.isascii() or not text.isdigit() or int(text) not in possible:
        raise _token_invalid()
    return int(text)


def _tag(filter_text: str) -> str:
    return sha256(filter_text.encode()).hexdigest()[:16]


def _token_invalid() -> InvalidRequestError:
    return InvalidRequestError(
        [Violation("page_token", "page_token.form", "not a token that this list gave; start again without one")]
    )


def _invalid(message: str) -> InvalidRequestError:
    return InvalidRequestError([Violation("filter", "filter.form", message)])
