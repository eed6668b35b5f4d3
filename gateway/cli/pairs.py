"""Collects repeated options that name something and give it a value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from gateway.errors import OptionError
from gateway.translation.messages import gettext as _

ValueT = TypeVar("ValueT")


def named_once(option: str, pairs: Iterable[tuple[str, ValueT]]) -> dict[str, ValueT]:
    """Values by name; raises ConfigurationError for a name that is given twice."""
    values: dict[str, ValueT] = {}
    for name, value in pairs:
        if name in values:
            raise OptionError(_("{option} names {name} twice", option=option, name=name))
        values[name] = value
    return values
