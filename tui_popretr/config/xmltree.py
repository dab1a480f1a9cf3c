"""Parses XML into a tree with the place of each element and attribute. DTDs and entities are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import errors as expat_errors

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from tui_popretr.config.problems import Position

_ATTRIBUTE = re.compile(rb"""\s+([^\s=/>]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_TAG_NAME = re.compile(rb"<[^\s/>]+")
# the namespace of the prefix xml:
_XML = "{http://www.w3.org/XML/1998/namespace}"
_NEWLINE = re.compile("\r\n|\r|\n")


#: In Node.intended: an unknown element resembles no known one, so any of the expected elements may be intended.
UNKNOWN = "*"


class MalformedXmlError(Exception):
    """The file is not accepted as XML; `place` is the position of the error."""

    def __init__(self, place: Position, message: str) -> None:
        super().__init__(message)
        self.place = place


class Attribute(NamedTuple):
    """An attribute's value and the place of its name."""

    text: str
    place: Position


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """An element. `text` is all its character data; `intended` has the correct names for misspelt ones in it."""

    name: str
    place: Position
    attributes: dict[str, Attribute]
    end: Position
    text: str = ""
    children: list[Node] = field(default_factory=list)
    intended: set[str] = field(default_factory=set)
    misplaced: set[str] = field(default_factory=set)  # names that belong in another element


def parse(data: bytes, path: str, *, empty: str | None = None) -> Node:
    """Return the root element. Raises MalformedXmlError, also for a DTD, entities and external references.

    Elements named `empty` have neither children nor text: what they contain is checked for its syntax and not kept.
    """
    return _Builder(data, path, empty).run()


class _Builder:
    """The target of the XML parser."""

    def __init__(self, data: bytes, path: str, empty: str | None) -> None:
        self._data = data
        self._empty = empty
        self._depth = 0  # of what is not kept: open elements within an element that is to be empty
        self._path = path
        self._parser: Any = DefusedXMLParser(target=self, forbid_dtd=True)
        self._open: list[Node] = []
        self._texts: list[list[str]] = []
        self._root: Node | None = None

    def run(self) -> Node:
        try:
            self._parser.feed(self._data)
            self._parser.close()
        except ParseError as error:
            self._refuse(error)
        except DefusedXmlException:
            raise MalformedXmlError(
                self._doctype_place(), "a DTD (<!DOCTYPE ...>) is not allowed, nor entities or external references"
            ) from None
        except (ValueError, LookupError) as error:
            # pyexpat asks Python for encodings that expat does not know
            raise MalformedXmlError(Position(self._path), f"the encoding of the file cannot be read: {error}") from None
        if self._root is None:
            raise MalformedXmlError(Position(self._path), "no element found")
        return self._root

    # --- called by the parser ---------------------------------------------------------------------------------------

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth or (self._open and self._open[-1].name == self._empty):
            self._depth += 1
            return
        place = self._here()
        where = self._attribute_places(place) if attributes else {}
        named = ((key.replace(_XML, "xml:"), text) for key, text in attributes.items())
        node = Node(name, place, {key: Attribute(text, where.get(key, place)) for key, text in named}, end=place)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self._root = node
        self._open.append(node)
        self._texts.append([])

    def data(self, text: str) -> None:
        if self._depth:
            return
        self._texts[-1].append(text)

    def end(self, _name: str) -> None:
        if self._depth:
            self._depth -= 1
            return
        node = self._open.pop()
        node.end = self._here()
        node.text = "".join(self._texts.pop())

    def close(self) -> None:
        pass

    # --- places -----------------------------------------------------------------------------------------------------

    def _here(self) -> Position:
        expat = self._parser.parser
        return Position(self._path, expat.CurrentLineNumber, expat.CurrentColumnNumber + 1)

    def _attribute_places(self, tag: Position) -> dict[str, Position]:
        """Find the attributes in the source, since expat reports only the place of the tag. {} in UTF-16."""
        start = self._parser.parser.CurrentByteIndex
        name = _TAG_NAME.match(self._data, start)
        places: dict[str, Position] = {}
        position = name.end() if name else len(self._data)
        while match := _ATTRIBUTE.match(self._data, position):
            before = self._data[start : match.start(1)].decode("utf-8", "replace")
            places[match[1].decode("utf-8", "replace")] = _advance(tag, before)
            position = match.end()
        return places

    def _doctype_place(self) -> Position:
        start = self._data.rfind(b"<!DOCTYPE", 0, self._parser.parser.CurrentByteIndex + len(b"<!DOCTYPE"))
        if start < 0:
            return self._here()
        return _advance(Position(self._path), self._data[:start].decode("utf-8", "replace"))

    def _refuse(self, error: ParseError) -> NoReturn:
        line, column = error.position
        reason = str(error).split(": line", 1)[0]
        if error.code == expat_errors.codes[expat_errors.XML_ERROR_NO_ELEMENTS] and self._open:
            reason = "the file ends too early"
        if error.code in _HINTED:
            reason += " (a & is written &amp; and a < is written &lt;)"
        elif self._open:
            innermost = self._open[-1]
            reason += f"; <{innermost.name}> of line {innermost.place.line} is still open"
        raise MalformedXmlError(Position(self._path, line, column + 1), reason) from None


_HINTED = {
    expat_errors.codes[expat_errors.XML_ERROR_INVALID_TOKEN],
    expat_errors.codes[expat_errors.XML_ERROR_UNDEFINED_ENTITY],
}


def _advance(place: Position, text: str) -> Position:
    """Return the place after `text` that begins at `place`."""
    lines = _NEWLINE.split(text)
    if len(lines) == 1:
        return Position(place.path, place.line, place.column + len(text))
    return Position(place.path, place.line + len(lines) - 1, len(lines[-1]) + 1)
