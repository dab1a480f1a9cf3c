"""When a message arrived, by its header."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.mail.arrival import arrival_date

BY = b"Received: from a (b [192.0.2.1])\r\n\tby mx.example.net; "
LATER = b"Received: by b; Tue, 24 Nov 2026 00:00:00 +0000\r\n"
DATE = b"Date: Sun, 22 Nov 2026 10:00:00 +0100\r\n"
RECEIVED, WRITTEN = "2026-11-23T08:27:59+02:00", "2026-11-22T10:00:00+01:00"


@pytest.mark.parametrize(
    ("header", "date"),
    [
        (BY + b"Mon, 23 Nov 2026 08:27:59 +0200\r\n" + LATER + DATE, RECEIVED),
        (b"Return-Path: <x@y>\r\n" + BY + b"\r\n\tMon, 23 Nov 2026 08:27:59 +0200 (EET)\r\n", RECEIVED),
        (BY.replace(b"\r\n", b"\n") + b"Mon, 23 Nov 2026 08:27:59 +0200\n\n" + DATE, RECEIVED),
        (BY + b"yesterday\r\n" + LATER + DATE, WRITTEN),
        (b"Received: without a date\r\n" + DATE, WRITTEN),
        (DATE, WRITTEN),
        (b"Subject: x\r\n\r\n" + DATE, None),
        (b"Date: Mon, 23 Nov 2026 08:27:59 -0000\r\n", "2026-11-23T08:27:59+00:00"),
        (b"Date: Mon, 23 Nov 1969 08:27:59 +0000\r\n", None),
        (b"Date: Mon, 23 Nov 20260 08:27:59 +0000\r\n", None),
        (b"Date: Mon, 23 Nov 2026 08:27:59 +9999\r\n", None),
        (b"Date: \xff\xfe\r\n", None),
        (b"", None),
    ],
)
def test_the_date_of_arrival(header: bytes, date: str | None) -> None:
    assert arrival_date(header) == (None if date is None else datetime.fromisoformat(date))


@given(st.one_of(st.binary(max_size=80), st.text(alphabet="0123456789:+- ,MonJaFebGT", max_size=40).map(str.encode)))
def test_no_date_is_an_internal_error(value: bytes) -> None:
    arrival_date(b"Received: x; " + value + b"\r\nDate: " + value)
