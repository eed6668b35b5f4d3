"""Files that operators write or that come along: read whole within a limit, and mappings in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, Generic, TypeVar

from gateway.errors import ConfigurationError

MAX_MAPPING_BYTES = 256 << 10
"""Largest mapping file in bytes; translation tables are its longest part."""

MappingT = TypeVar("MappingT")


def read_text(path: Path, *, what: str, most_bytes: int) -> str:
    """The text of a file, UTF-8 with or without a byte order mark.

    Raises:
        ConfigurationError: it can't be read or is larger; `what` says in the message what it should be.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{what} {path} can't be read: {error}") from error
    if len(content) > most_bytes:
        raise ConfigurationError(f"{what} {path} is larger than {most_bytes} bytes")
    return text


def read_mapping(path: Path) -> str:
    """The text of a mapping of one's own; raises as `read_text`."""
    return read_text(path, what="the mapping", most_bytes=MAX_MAPPING_BYTES)


class Family(StrEnum):
    """What a mapping is for; but for those of declarations their names begin so."""

    DECLARATIONS = ""
    SHIPMENTS = "shipments"
    WATCHLIST = "watchlist"


def read_builtin_mapping(name: str, family: Family) -> str:
    """The text of a mapping that comes with the gateway.

    Args:
        name: without `.toml`.
        family: what it is for.

    Raises:
        ConfigurationError: there is none of this name; the message lists those there are.
    """
    folder = resources.files("gateway.reference").joinpath("mappings")
    known = {
        entry.name.removesuffix(".toml"): entry
        for entry in folder.iterdir()
        if entry.name.endswith(".toml") and _family_of(entry.name) is family
    }
    if name not in known:
        raise ConfigurationError(f"there is no mapping {name!r}; those that come along: {', '.join(sorted(known))}")
    return known[name].read_text("utf-8")


def _family_of(name: str) -> Family:
    return next((each for each in Family if each and name.startswith(each)), Family.DECLARATIONS)


def parse_toml(text: str, make: Callable[[dict[str, Any]], MappingT], *, source: str) -> MappingT:
    """What `make` makes of a TOML document; `source` names it in errors.

    Raises:
        ConfigurationError: it isn't TOML, or `make` refuses it.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{source} is not TOML: {error}") from error
    try:
        return make(document)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error.message}") from None


class MappingKind(Generic[MappingT]):
    """One kind of mapping: those that come along, those that people have, and their text.

    Every method raises ConfigurationError: there is none of that name (the message lists those there are), it can't be
    read, or it isn't a mapping of this kind; the message names file, key and way out.
    """

    def __init__(self, family: Family, make: Callable[[dict[str, Any]], MappingT], default: str) -> None:
        """Takes what it needs.

        Args:
            family: what such mappings are for.
            make: makes and checks one of a TOML document.
            default: name of the one that stands for them where none is named.
        """
        self._family = family
        self._make = make
        self._default = default

    def builtin(self, name: str = "") -> MappingT:
        """One that comes with the gateway, by its name without `.toml`."""
        name = name or self._default
        return self.parse(read_builtin_mapping(name, self._family), source=f"{name}.toml")

    def load(self, path: Path) -> MappingT:
        """One from a file."""
        return self.parse(read_mapping(path), source=str(path))

    def parse(self, text: str, *, source: str) -> MappingT:
        """One from the text of its TOML file; `source` names it in errors."""
        return parse_toml(text, self._make, source=source)

    def named(self, given: str) -> MappingT:
        """One as people name it: a file, or else one that comes along."""
        path = Path(given)
        return self.load(path) if path.suffix or path.exists() else self.builtin(given)
