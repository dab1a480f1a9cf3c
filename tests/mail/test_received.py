"""The Received header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.mail.received import received_header, rfc5322_date

WHEN = datetime(2026, 11, 23, 7, 27, 59, 107000, tzinfo=UTC)
NAIVE = WHEN.replace(tzinfo=None)


def test_it_is_as_documented() -> None:
    assert received_header(
        "pop.example.net", "192.0.2.7", "me.example.test", "tui-popretr 1.0", "POP3S", "user1", WHEN
    ) == (
        b"Received: from pop.example.net ([192.0.2.7])\r\n"
        b"\tby me.example.test (tui-popretr 1.0) with POP3S\r\n"
        b"\tfor <user1>; Mon, 23 Nov 2026 07:27:59 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("host", "ip", "expected"),
    [
        ("pop.example.net", "192.0.2.7", "pop.example.net ([192.0.2.7])"),
        ("pop.example.net", "2001:db8::1", "pop.example.net ([IPv6:2001:db8::1])"),
        ("pop.example.net.", "2001:DB8:0::1", "pop.example.net ([IPv6:2001:db8::1])"),
        ("fe80::1%eth0", "fe80::1%eth0", "[IPv6:fe80::1] ([IPv6:fe80::1])"),
        ("192.0.2.7", "::ffff:192.0.2.7", "[192.0.2.7] ([192.0.2.7])"),
        ("pop.example.net", "", "pop.example.net"),
    ],
)
def test_where_it_came_from(host: str, ip: str, expected: str) -> None:
    header = received_header(host, ip, "me.example.test", "p", "POP3", "user1", WHEN)
    assert header.startswith(f"Received: from {expected}\r\n\tby me.example.test (p) with ".encode())


@pytest.mark.parametrize(
    ("machine", "shown"),
    [
        ("me.example.test", "me.example.test"),
        ("box", "box"),
        ("[192.0.2.9]", "[192.0.2.9]"),
        ("büro pc", "b?ro?pc"),
        ("a(b;c\r\nX: y", "a?b?c??X:?y"),
        ("\udce9", "?"),
        ("", "?"),
    ],
)
def test_the_name_of_this_machine(machine: str, shown: str) -> None:
    header = received_header("pop.test", "192.0.2.7", machine, "p", "POP3", "user1", WHEN)
    assert header.split(b"\r\n")[1] == b"\tby " + shown.encode() + b" (p) with POP3"


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
