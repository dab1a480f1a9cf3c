"""Puts a client into the text of an existing configuration. All other characters stay as they are."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from xml.parsers import expat

from tui_popretr.cli.init.text import NewClient, client_text
from tui_popretr.errors import ConfigurationError

#: A start tag; its attributes may contain a >.
_TAG: Final = re.compile(r"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")
_CLIENTS: Final = ("pop3download", "clients")
#: Of client_text().
_INDENT: Final = "    "
_STEP: Final = "  "


class _Element(NamedTuple):
    """Where an element begins and ends, and where its content ends: at `</`, or at the `/>` of an empty element."""

    start: int
    content_end: int
    end: int


def with_client(data: bytes, client: NewClient) -> bytes:
    """Return a configuration with one more client, behind its last one. `data` has been read without errors.

    Raises ConfigurationError if there is no place for it.
    """
    encoding, clients, last = _find(data)
    if clients is None:
        raise ConfigurationError(
            "the file has no <clients>, so there is no place for another client",
            advice="write <clients></clients> into its <pop3download>",
        )
    text = data.decode(encoding)
    line_end = "\r\n" if "\r\n" in text else "\n"
    outer = _indentation(text, clients.start)
    inner = outer + ("\t" if "\t" in outer else _STEP)
    if last is not None:
        inner = _indentation(text, last.start) or inner
    lines = client_text(client, beside=text).split("\n")
    block = line_end.join(_indented(line, inner) for line in lines)
    at, until, added = clients.content_end, clients.content_end, f"{line_end}{block}{line_end}{outer}"
    if text.startswith("/>", at):
        until, added = at + 2, f">{added}</clients>"
    elif last is not None and _ends_its_line(text, last.end):
        at = until = last.end
        added = f"{line_end}{line_end}{block}"
    elif not text[:at].rpartition("\n")[2].strip():  # the end tag has a line of its own
        at = until = text.rindex("\n", 0, at) + 1
        added = f"{block}{line_end}"
    return (text[:at] + added + text[until:]).encode(encoding, "xmlcharrefreplace")


def _indented(line: str, indentation: str) -> str:
    bare = line.removeprefix(_INDENT)
    inside = bare.lstrip(" ")
    depth = len(bare) - len(inside)
    if "\t" in indentation:
        return indentation + "\t" * (depth // len(_STEP)) + inside
    return indentation + bare


def _indentation(text: str, at: int) -> str:
    """Return what is before an element in its line, if it is blank."""
    before = text[:at].rpartition("\n")[2]
    return "" if before.strip() else before


def _ends_its_line(text: str, at: int) -> bool:
    return not text[at:].partition("\n")[0].strip()


def _find(data: bytes) -> tuple[str, _Element | None, _Element | None]:
    """Return the encoding, the element <clients> and its last <client>, in characters of the decoded text."""
    encoding = _byte_order(data) or "utf-8"
    open_elements: list[tuple[str, int]] = []
    found: dict[str, tuple[int, int]] = {}
    parser = expat.ParserCreate()

    def declared(_version: str, name: str | None, _standalone: int) -> None:
        nonlocal encoding
        encoding = _byte_order(data) or name or encoding

    def start(name: str, _attributes: dict[str, str]) -> None:
        open_elements.append((name, parser.CurrentByteIndex))

    def end(_name: str) -> None:
        names = [each for each, _ in open_elements]
        _, begin = open_elements.pop()
        if tuple(names[-2:]) == _CLIENTS and len(names) <= len(_CLIENTS) + 1:
            found["clients"] = (begin, parser.CurrentByteIndex)
        elif tuple(names[-3:]) == (*_CLIENTS, "client") and len(names) <= len(_CLIENTS) + 2:
            found["client"] = (begin, parser.CurrentByteIndex)

    parser.XmlDeclHandler, parser.StartElementHandler, parser.EndElementHandler = declared, start, end
    parser.Parse(data, True)
    text = data.decode(encoding)
    assert text.encode(encoding) == data, "the codec keeps what it does not write"

    def element(name: str) -> _Element | None:
        if name not in found:
            return None
        begin, content_end = (len(data[:octets].decode(encoding)) for octets in found[name])
        return _element(text, begin, content_end)

    return encoding, element("clients"), element("client")


def _element(text: str, start: int, content_end: int) -> _Element:
    if text.startswith("</", content_end):
        return _Element(start, content_end, text.index(">", content_end) + 1)
    tag = _TAG.match(text, start)
    assert tag is not None, "expat reports the start of a tag"
    return _Element(start, tag.end() - 2, tag.end())


def _byte_order(data: bytes) -> str:
    """Return the codec of UTF-16 that keeps a byte order mark; "" for other encodings."""
    if data[:2] == b"\xff\xfe" or data[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if data[:2] == b"\xfe\xff" or data[:1] == b"\0" else ""
