"""Reads a delivered message for display: finds its file in the Maildir, decodes its header and its first lines.

As much of a message is shown as possible; a note says what is not shown and why. Everything returned is neutralised
(text.visible). The functions block on the disk: call them in a thread. They import the email package only when they
run, since most runs of the dashboard never need it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from tui_popretr.errors import describe_os_error
from tui_popretr.fs.reading import open_regular
from tui_popretr.text import visible
from tui_popretr.ui.model.formatting import failure_reason

if TYPE_CHECKING:
    from email.message import Message

#: The octets that are read of a file.
BEGINNING: Final = 64 * 1024
_LINES: Final = 400
_WIDTH: Final = 1000
_FIELDS: Final = 200
#: Other parts that a note names.
_PARTS: Final = 5


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The beginning of a message. `note` says what is not shown, `problem` why its text is not; "" if all is shown."""

    path: str
    header: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    note: str
    problem: str = ""


class MessageGone(Exception):
    """The file cannot be shown; the text says why."""


def locate(path: str) -> str | None:
    """Return the present path: the same, or in the Maildir's cur, where mail readers move files; None if it is gone."""
    if os.path.exists(path):
        return path
    folder, name = os.path.split(path)
    maildir, new = os.path.split(folder)
    if new != "new":
        return None
    try:
        with os.scandir(os.path.join(maildir, "cur")) as entries:
            return next((each.path for each in entries if each.name == name or each.name.startswith(f"{name}:")), None)
    except OSError:
        return None


def read(path: str) -> Excerpt:
    """Return the beginning of the message that was delivered as `path`.

    Raises MessageGone if the file is gone, or nothing of it can be shown.
    """
    found = locate(path)
    if found is None:
        raise MessageGone("the file is not there any more: it was moved or removed after its delivery")
    try:
        raw, cut = _beginning(found)
    except OSError as problem:
        raise MessageGone(f"cannot read the file: {describe_os_error(problem)}") from problem
    try:
        return excerpt(found, raw, cut=cut)
    except Exception as problem:
        raise MessageGone(_cannot_be_shown(problem)) from problem


def _beginning(path: str) -> tuple[bytes, bool]:
    with open_regular(path) as file:
        raw = file.read(BEGINNING + 1)
    return raw[:BEGINNING], len(raw) > BEGINNING


def excerpt(path: str, raw: bytes, *, cut: bool) -> Excerpt:
    """Return an excerpt of `raw`, the beginning of a message; `cut`: there is more of it."""
    from email.parser import BytesHeaderParser

    fields = islice(BytesHeaderParser().parsebytes(raw).raw_items(), _FIELDS)
    header = tuple((visible(name, 100), _decoded(value)) for name, value in fields)
    try:
        lines, note, whole = _lines(raw, cut=cut)
    except Exception as problem:  # noqa: BLE001 - the email package raises anything for some messages
        return Excerpt(visible(path), header, (), "", _cannot_be_shown(problem))
    if not whole or len(lines) > _LINES:
        note = "; ".join(part for part in (note, "only its beginning is shown") if part)
    return Excerpt(visible(path), header, tuple(lines[:_LINES]), note)


def _cannot_be_shown(problem: Exception) -> str:
    return f"this message cannot be shown: {failure_reason(problem)}"


def _lines(raw: bytes, *, cut: bool) -> tuple[list[str], str, bool]:
    """Return the lines of a message's text, a note on them, and whether the text is whole.

    May raise any exception of the email package.
    """
    import email

    parts = [part for part in email.message_from_bytes(raw).walk() if not part.is_multipart()]
    text, note, whole = _text(parts, cut=cut)
    return [visible(line.expandtabs(8), _WIDTH) for line in islice(text.splitlines(), _LINES + 1)], note, whole


def _decoded(value: object) -> str:
    """Return a field's body unfolded, with its encoded words in plain characters (RFC 2047)."""
    from email.header import decode_header, make_header

    # 8-bit octets come as surrogates
    text = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    unfolded = " ".join(text.split())
    try:
        return visible(" ".join(str(make_header(decode_header(unfolded))).split()), _WIDTH)
    except Exception:  # noqa: BLE001 - it can be shown undecoded
        return visible(unfolded, _WIDTH)


def _text(parts: Sequence[Message], *, cut: bool) -> tuple[str, str, bool]:
    """Return the first text part, plain text preferred, a note on it and the other parts, and whether it is whole.

    `cut`: the last part may have a continuation that was not read.
    """
    for wanted in ("text/plain", "text/"):
        for part in parts:
            kind = part.get_content_type()
            if kind.startswith(wanted):
                alone = len(parts) == 1 and kind == "text/plain"
                notes = [] if alone else [f"shown is the {visible(kind, 100)} part"]
                if others := [_named(each) for each in parts if each is not part]:
                    more = ", ..." if len(others) > _PARTS else ""
                    notes.append(f"other parts: {', '.join(others[:_PARTS])}{more}")
                return _body(part), "; ".join(notes), not (cut and part is parts[-1])
    kinds = ", ".join(dict.fromkeys(visible(part.get_content_type(), 100) for part in parts[:10]))
    return "", f"no text in it, only {kinds or 'empty parts'}", not cut


def _named(part: Message) -> str:
    """Return the file name of a part with its type, or the type alone."""
    kind = visible(part.get_content_type(), 100)
    try:
        name = _decoded(part.get_filename() or "")
    except Exception:  # noqa: BLE001 - a parameter that cannot be decoded hides no text
        return kind
    return f"{name} ({kind})" if name else kind


def _body(part: Message) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset("utf-8")
    try:
        return raw.decode(charset, "replace")
    except (LookupError, ValueError):
        return raw.decode("latin-1")
