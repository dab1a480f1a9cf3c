"""The Received header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.delivery.received import received_header, rfc5322_date

WHEN = datetime(2026, 11, 23, 7, 27, 59, 107000, tzinfo=UTC)
NAIVE = WHEN.replace(tzinfo=None)


def test_it_is_as_documented() -> None:
    assert received_header(
        "pop.example.net:995", "192.0.2.7", "me.example.test", "tui-popretr 1.0", "POP3S", "user1", WHEN
    ) == (
        b"Received: from pop.example.net:995 [192.0.2.7]\r\n"
        b"\tby me.example.test (tui-popretr 1.0) with POP3S\r\n"
        b"\tfor <user1>; Mon, 23 Nov 2026 07:27:59 +0000\r\n"
    )


@given(st.lists(st.text(), min_size=6, max_size=6))
@settings(max_examples=50)
def test_no_part_begins_a_header_of_its_own(parts: list[str]) -> None:
    host, ip, announced, product, protocol, recip = parts
    header = received_header(host, ip, announced, product, protocol, recip, WHEN)
    assert header.endswith(b"\r\n")
    assert header.count(b"\n") == header.count(b"\r") == 3
    assert [line[:1] for line in header.split(b"\r\n")] == [b"R", b"\t", b"\t", b""]


@given(
    st.datetimes(min_value=NAIVE.replace(year=1970), max_value=NAIVE.replace(year=2100)),
    st.integers(-14 * 60, 14 * 60),
)
@settings(max_examples=50)
def test_dates_are_those_of_rfc_5322(when: datetime, offset: int) -> None:
    aware = when.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert rfc5322_date(aware) == format_datetime(aware)


@pytest.mark.parametrize(("offset", "shown"), [(330, "+0530"), (-210, "-0330"), (0, "+0000")])
def test_zones_that_are_not_whole_hours(offset: int, shown: str) -> None:
    assert rfc5322_date(WHEN.astimezone(timezone(timedelta(minutes=offset)))).endswith(shown)


def test_a_naive_date_is_local() -> None:
    assert rfc5322_date(NAIVE) == format_datetime(NAIVE.astimezone())
