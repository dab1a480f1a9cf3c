"""Domains and address literals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.mail.domains import address_literal, own_name


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "[192.0.2.7]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("2001:DB8:0:0::1", "[IPv6:2001:db8::1]"),
        ("fe80::1%eth0", "[IPv6:fe80::1]"),
        ("::ffff:192.0.2.7", "[192.0.2.7]"),
        ("::", "[IPv6:::]"),
        ("pop.example.net", None),
        ("1.2.3", None),
        ("", None),
    ],
)
def test_address_literal(address: str, expected: str | None) -> None:
    assert address_literal(address) == expected


USED_AS_THEY_ARE = ["mail.example.net", "a.b", "xn--bro-hoa.example", "1.example", "[192.0.2.9]", "[IPv6:2001:db8::1]"]
NO_DOMAINS = [
    "",
    "box",
    "localhost",
    "büro pc",
    "büro.example",
    "my_box.example",
    "a b.example",
    "-a.example",
    "a-.example",
    "a..example",
    ".example.net",
    "192.0.2.9",
    "1.2.3",
    f"{'a' * 64}.example",
    f"{'a.' * 130}example",
    "[192.0.2]",
    "[2001:db8::1]",
    "\udce9.example",
    "a.example\r\nMAIL",
]


@pytest.mark.parametrize("name", USED_AS_THEY_ARE)
def test_a_name_that_can_be_used(name: str) -> None:
    assert own_name(name) == name
    assert own_name(f"{name}.") == name


@pytest.mark.parametrize("name", NO_DOMAINS)
def test_a_name_that_is_no_domain(name: str) -> None:
    assert own_name(name, "127.0.0.3") == "[127.0.0.3]"
    assert own_name(name, "::1") == "[IPv6:::1]"
    assert own_name(name, "") == "[127.0.0.1]"


@given(st.text())
def test_any_name_gives_one_word(name: str) -> None:
    found = own_name(name)
    assert found.isascii()
    assert found.split() == [found]
