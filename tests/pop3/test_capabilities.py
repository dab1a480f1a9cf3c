"""Reading CAPA's answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.pop3 import NEVER, Capabilities, Never

RFC_2449 = b"""TOP\r
USER\r
SASL CRAM-MD5 KERBEROS_V4\r
RESP-CODES\r
LOGIN-DELAY 900\r
PIPELINING\r
EXPIRE 60\r
UIDL\r
IMPLEMENTATION Shlemazle-Plotz-v302\r
"""


def test_the_example_of_the_rfc() -> None:
    capabilities = Capabilities.parse(RFC_2449)
    assert capabilities.lines[2:4] == ("SASL CRAM-MD5 KERBEROS_V4", "RESP-CODES")
    assert capabilities.sasl == ("CRAM-MD5", "KERBEROS_V4")
    assert capabilities.login_delay == 900
    assert capabilities.expire == 60
    assert capabilities.params("IMPLEMENTATION") == ("Shlemazle-Plotz-v302",)
    assert capabilities.pipelining
    assert capabilities.uidl
    assert capabilities.has("TOP")
    assert capabilities.has("RESP-CODES")
    assert not capabilities.stls
    assert capabilities.has("user")
    assert capabilities.params("Sasl") == ("CRAM-MD5", "KERBEROS_V4")
    assert capabilities.params("NONE") == ()


def test_none() -> None:
    capabilities = Capabilities()
    assert capabilities.lines == ()
    assert capabilities.sasl == ()
    assert capabilities.login_delay is None
    assert capabilities.expire is None
    assert capabilities.params("IMPLEMENTATION") == ()
    assert not capabilities.pipelining


def test_names_and_mechanisms_in_any_case() -> None:
    capabilities = Capabilities.parse(b"stls\r\nsasl plain Login PLAIN\r\nSASL xoauth2\r\n")
    assert capabilities.stls
    assert capabilities.sasl == ("PLAIN", "LOGIN", "XOAUTH2")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"EXPIRE NEVER", NEVER),
        (b"EXPIRE never USER", NEVER),
        (b"EXPIRE 0", 0),
        (b"EXPIRE 30 USER", 30),
        (b"EXPIRE", None),
        (b"EXPIRE soon", None),
        (b"EXPIRE -1", None),
        (b"EXPIRE 99999999999999", None),
    ],
)
def test_expire(line: bytes, value: int | Never | None) -> None:
    assert Capabilities.parse(line + b"\r\n").expire is value


@pytest.mark.parametrize(
    ("line", "value"),
    [(b"LOGIN-DELAY 900 USER", 900), (b"LOGIN-DELAY 0", 0), (b"LOGIN-DELAY x", None), (b"LOGIN-DELAY", None)],
)
def test_login_delay(line: bytes, value: int | None) -> None:
    assert Capabilities.parse(line + b"\r\n").login_delay == value


def test_garbage_is_shown_and_means_nothing() -> None:
    capabilities = Capabilities.parse(b"\x1b[2J\r\n\xff\xfe\r\n\r\n  UIDL  \r\n.x\r\nTOP\n")
    assert capabilities.lines == (r"\x1b[2J", r"\xff\xfe", "  UIDL  ", ".x", "TOP")
    assert capabilities.uidl
    assert capabilities.has("TOP")
    assert not capabilities.has(".x")
    assert not capabilities.has("\x1b[2J")


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    capabilities = Capabilities.parse(data)
    assert not any(set(line) & {"\x1b", "\r", "\n", "\0"} for line in capabilities.lines)
    assert capabilities.expire is None or capabilities.expire is NEVER or capabilities.expire >= 0
