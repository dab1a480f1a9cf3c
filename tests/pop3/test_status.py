"""Status lines: response codes, time stamps, and what is a continuation."""

from __future__ import annotations

import pytest

from tui_popretr.pop3.status import is_continuation, response_code, time_stamp


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"[IN-USE] Do you have another session running?", "IN-USE"),
        (b"[in-use]", "IN-USE"),
        (b"[SYS/TEMP] try later", "SYS/TEMP"),
        (b"[AUTH]bad password", "AUTH"),
        (b"[]", None),
        (b"[IN USE] no", None),
        (b"[IN-USE", None),
        (b"maildrop [IN-USE]", None),
        (b"[\x1b] x", None),
        (b"", None),
    ],
)
def test_response_code(text: bytes, code: str | None) -> None:
    assert response_code(text) == code


@pytest.mark.parametrize(
    ("line", "stamp"),
    [
        (b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>", b"<1896.697170952@dbc.mtview.ca.us>"),
        (b"+OK <1f2e.3.5a+/b==.Zm9v@host> ready", b"<1f2e.3.5a+/b==.Zm9v@host>"),
        (b"+OK <Zm9v+YmFy/YmF6==@host.example>", b"<Zm9v+YmFy/YmF6==@host.example>"),
        (b"+OK <+@h>", b"<+@h>"),
        (b"+OK </@h>", b"</@h>"),
        (b"+OK <=@h>", b"<=@h>"),
        (b"+OK <q0x+.1/2=@h>, hello", b"<q0x+.1/2=@h>"),
        (b"+OK <1@[192.0.2.1]>", b"<1@[192.0.2.1]>"),
        (b"+OK <a@b> and <c@d>", b"<c@d>"),
        (b"+OK <>", None),
        (b"+OK <@host>", None),
        (b"+OK <1896@>", None),
        (b"+OK <1896>", None),
        (b"+OK 1896@host", None),
        (b"+OK <1896@host", None),
        (b"+OK <18 96@host>", None),
        (b"+OK <18\x0196@host>", None),
        (b"+OK <18\xe996@host>", None),
        (b"+OK <18\xe996@host\x80>", None),
        (b"+OK <1..2@host>", None),
        (b"+OK <1@2@host>", None),
        (b"+OK <1@host.>", None),
    ],
)
def test_time_stamp(line: bytes, stamp: bytes | None) -> None:
    assert time_stamp(line) == stamp


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"+ ", True),
        (b"+", True),
        (b"+ PDE+", True),
        (b"+PDE+", True),
        (b"+OKab", True),
        (b"+ OK", True),
        (b"+OK", False),
        (b"+OK logged in", False),
        (b"+OK, come in", False),
        (b"-ERR", False),
    ],
)
def test_continuation(line: bytes, expected: bool) -> None:
    assert is_continuation(line) is expected
