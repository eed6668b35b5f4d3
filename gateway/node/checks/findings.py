"""Results of the self-check, and what becomes of errors in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import ConfigurationError, GatewayError


class Result(StrEnum):
    """Result of a check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    """It couldn't be checked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the self-check; `way_out`: what to do, empty for nothing."""

    check: str
    result: Result
    detail: str
    way_out: str = ""


class NotCheckedError(ConfigurationError):
    """An earlier check lacks required results."""

    reason = "NOT_CHECKED"
    way_out = "See the failed checks above."


def guarded(name: str, check: Callable[[str], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check; an error is one too."""
    try:
        yield from check(name)
    except NotCheckedError as error:
        yield Finding(name, Result.UNKNOWN, error.message, error.way_out)
    except GatewayError as error:
        yield Finding(name, Result.FAIL, error.message, error.way_out)
    except OSError as error:
        way_out = "Check the path, that it exists, and that this user may read or write there."
        yield Finding(name, Result.FAIL, f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), way_out)
