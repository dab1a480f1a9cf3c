"""Parses the responses of a server (RFC 9051 §7). What is not used here is OtherData, whatever it looks like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tui_popretr.imap.codes import split
from tui_popretr.imap.errors import RemoteProtocolError
from tui_popretr.imap.responses import (
    Condition,
    Exists,
    Fetch,
    FolderListed,
    FolderStatus,
    OtherData,
    Response,
    Search,
    Status,
)
from tui_popretr.imap.sets import MAX_NUMBER, UidSet
from tui_popretr.imap.values import Atom, NotAValue, Value, number, parse

_STATUS: Final = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: (.*))?", re.IGNORECASE | re.DOTALL)
_COUNTED: Final = re.compile(rb"([0-9]{1,10}) ([A-Z]+)(?: (.*))?", re.IGNORECASE | re.DOTALL)
_KEYWORD: Final = re.compile(rb"([A-Z][A-Z0-9-]*)(?: (.*))?", re.IGNORECASE | re.DOTALL)


def parse_status(text: bytes) -> Status | None:
    """Return the status of a response without its tag; None if it is none."""
    match = _STATUS.fullmatch(text)
    if match is None:
        return None
    code, rest = split(match[2] or b"")
    return Status(Condition(match[1].decode("ascii").upper()), rest, code)


def parse_data(parts: Sequence[bytes]) -> Response | None:
    """Return the untagged data of a response without its `* `; None if it is none.

    Raises RemoteProtocolError for data that are used here and are not valid.
    """
    first, *more = parts
    if match := _COUNTED.fullmatch(first):
        return _counted(int(match[1]), match[2].upper(), (match[3] or b"", *more))
    if match := _KEYWORD.fullmatch(first):
        return _keyword(match[1].upper(), match[2] or b"")
    return None


def _counted(count: int, name: bytes, parts: Sequence[bytes]) -> Response:
    if name == b"EXISTS":
        return Exists(count)
    if name != b"FETCH":
        return OtherData()
    values = _values(name, parts)
    items = values[0] if len(values) == 1 else None
    if not isinstance(items, tuple) or len(items) % 2:
        raise _invalid(name)
    attributes: dict[str, Value] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, Atom):
            raise _invalid(name)
        attributes[key.decode("ascii", "replace").upper()] = value
    return Fetch(count, attributes)


def _keyword(name: bytes, rest: bytes) -> Response:
    match name:
        case b"SEARCH":
            return Search(_found(name, rest))
        case b"ESEARCH":
            return Search(_found_in_ranges(name, rest))
        case b"LIST":
            return _folder_listed(name, rest)
        case b"STATUS":
            return _folder_status(name, rest)
        case _:
            return OtherData()


def _found(name: bytes, rest: bytes) -> UidSet:
    words = rest.partition(b"(")[0].split()  # (MODSEQ ...) may follow
    return UidSet.of(*(_uid(name, word) for word in words))


def _uid(name: bytes, word: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,10}", word) or not 0 < int(word) <= MAX_NUMBER:
        raise _invalid(name)
    return int(word)


def _found_in_ranges(name: bytes, rest: bytes) -> UidSet:
    """Return the UIDs of ESEARCH, with which servers of IMAP4rev2 answer (RFC 9051 §7.3.4)."""
    values = _values(name, (rest,))
    if values and isinstance(values[0], tuple):  # (TAG "a1")
        values = values[1:]
    if values and values[0] == Atom(b"UID"):
        values = values[1:]
    for key, value in zip(values[::2], values[1::2], strict=False):
        if isinstance(key, Atom) and key.upper() == b"ALL":
            found = UidSet.parse(value) if isinstance(value, Atom) else None
            if found is None:
                raise _invalid(name)
            return found
    return UidSet(())


def _folder_listed(name: bytes, rest: bytes) -> FolderListed:
    match _values(name, (rest,)):
        case (tuple() as attributes, bytes() | None as separator, bytes() as folder, *_):
            words = tuple(each.decode("ascii", "replace").lower() for each in attributes if isinstance(each, Atom))
            return FolderListed(words, separator.decode("ascii", "replace") if separator else None, bytes(folder))
    raise _invalid(name)


def _folder_status(name: bytes, rest: bytes) -> FolderStatus:
    match _values(name, (rest,)):
        case (bytes() as folder, tuple() as items):
            named = zip(items[::2], items[1::2], strict=False)
            counts = {
                key.decode("ascii", "replace").upper(): count
                for key, value in named
                if isinstance(key, Atom) and (count := number(value)) is not None
            }
            return FolderStatus(bytes(folder), counts)
    raise _invalid(name)


def _values(name: bytes, parts: Sequence[bytes]) -> tuple[Value, ...]:
    try:
        return parse(parts)
    except NotAValue:
        raise _invalid(name) from None


def _invalid(name: bytes) -> RemoteProtocolError:
    return RemoteProtocolError(f"sent {name.decode('ascii')} data that are not valid")
