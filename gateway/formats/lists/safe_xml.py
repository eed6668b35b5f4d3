"""Reads records from untrusted XML in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

from gateway.errors import MalformedError, TooLargeError

CHUNK_BYTES = 64 << 10
"""Bytes per parser call."""

MAX_RECORD_CHARS = 1 << 20
"""Most characters in a record: fifty times the longest of the United Nations' list."""

MAX_RECORD_ELEMENTS = 10_000
"""Most elements in a record: a person with every alias and document has a few hundred."""

MAX_DEPTH = 16
"""Deepest nesting; records of the United Nations' list have six."""

MAX_MARKUP_BYTES = 1 << 20
"""Longest tag, comment or declaration: expat holds one until it ends."""


@dataclass(slots=True)
class XmlElement:
    """An element.

    Attributes:
        attributes: by name; prefixes of namespaces stay.
        line: where it starts, from 1.
        text: without children's, stripped.
        below: its children, in order.
    """

    tag: str
    line: int
    text: str = ""
    below: list[XmlElement] = field(default_factory=list)
    attributes: Mapping[str, str] = field(default_factory=dict)

    def attribute(self, name: str) -> str:
        """On one line; empty where it isn't there."""
        return " ".join(self.attributes.get(name, "").split())

    def descendants(self, *path: str) -> Iterator[XmlElement]:
        """Elements at a path of names below this one."""
        found = [self]
        for tag in path:
            found = [child for element in found for child in element.children(tag)]
        return iter(found)

    def child(self, tag: str) -> str:
        """Text of the first child of this name, or empty."""
        return next((each.text for each in self.below if each.tag == tag), "")

    def children(self, tag: str) -> Iterator[XmlElement]:
        return (each for each in self.below if each.tag == tag)


@dataclass(frozen=True, slots=True)
class Broken:
    """The rest of a file, or a record, that can't be read.

    Attributes:
        tag: of the record; empty for the rest of the file.
    """

    line: int
    reason: str
    tag: str = ""


def root_of(start: bytes) -> str:
    """Name of a file's outermost element, from its beginning; empty where none is found."""
    found: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, _: found.append(tag)
    with suppress(expat.ExpatError, ValueError, LookupError):
        parser.Parse(start, False)
    return found[0] if found else ""


def read_records(stream: BinaryIO, root: str | Set[str], tags: Set[str]) -> Iterator[XmlElement | Broken]:
    """Elements of these names, at any depth below the root, which has one of the names given.

    A file that ends early or isn't well-formed gives its records up to there, then Broken.

    Raises:
        MalformedError: a document type declaration, or another root; nothing is used then.
        TooLargeError: markup or nesting beyond the limits.
    """
    reader = _Reader({root} if isinstance(root, str) else root, tags)
    while True:
        chunk = stream.read(CHUNK_BYTES)
        broken = reader.feed(chunk)
        yield from reader.taken()
        if broken is not None:
            yield broken
        if broken is not None or not chunk:
            return


class _Reader:
    def __init__(self, roots: Set[str], tags: Set[str]) -> None:
        self._roots = roots
        self._tags = tags
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data
        self._depth = 0
        self._open: list[XmlElement] = []
        self._texts: list[list[str]] = []
        self._chars = self._elements = self._fed = 0
        self._skipping = 0
        self._done: deque[XmlElement | Broken] = deque()

    def feed(self, chunk: bytes) -> Broken | None:
        self._fed += len(chunk)
        try:
            self._parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            return Broken(error.lineno, f"not well-formed XML from here on: {expat.ErrorString(error.code)}")
        except (ValueError, LookupError) as error:
            raise MalformedError(f"the file's character encoding can't be read: {error}") from None
        if self._fed - self._parser.CurrentByteIndex > MAX_MARKUP_BYTES:
            raise TooLargeError(
                f"line {self._parser.CurrentLineNumber}: a tag or comment is longer than {MAX_MARKUP_BYTES} bytes"
            )
        return None

    def taken(self) -> Iterator[XmlElement | Broken]:
        while self._done:
            yield self._done.popleft()

    def _doctype(self, *_: object) -> None:
        raise MalformedError(
            f"line {self._parser.CurrentLineNumber}: the file has a document type declaration, which could make it "
            "anything; lists have none. Get the file from its source again"
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        self._depth += 1
        if self._depth == 1 and tag not in self._roots:
            wanted = " or ".join(map(repr, sorted(self._roots)))
            raise MalformedError(f"line {line}: the file begins with {tag[:64]!r} and not with {wanted}")
        if self._depth > MAX_DEPTH:
            raise TooLargeError(f"line {line}: elements are nested deeper than {MAX_DEPTH}")
        if self._skipping:
            return
        if self._open or tag in self._tags:
            node = XmlElement(tag, line, attributes=attributes)
            if self._open:
                self._open[-1].below.append(node)
            else:
                self._chars = self._elements = 0
            self._open.append(node)
            self._texts.append([])
            self._elements += 1
            self._chars += sum(map(len, attributes.values()))
            self._limit()

    def _end(self, _: str) -> None:
        if self._skipping == self._depth:
            self._skipping = 0
        elif not self._skipping and self._open:
            node = self._open.pop()
            node.text = "".join(self._texts.pop()).strip()
            if not self._open:
                self._done.append(node)
        self._depth -= 1

    def _data(self, text: str) -> None:
        if self._open and not self._skipping:
            self._texts[-1].append(text)
            self._chars += len(text)
            self._limit()

    def _limit(self) -> None:
        if self._chars > MAX_RECORD_CHARS or self._elements > MAX_RECORD_ELEMENTS:
            record = self._open[0]
            self._done.append(
                Broken(
                    record.line,
                    f"{record.tag} is longer than {MAX_RECORD_CHARS} characters or {MAX_RECORD_ELEMENTS} elements",
                    record.tag,
                )
            )
            self._skipping = self._depth - len(self._open) + 1
            self._open, self._texts = [], []
