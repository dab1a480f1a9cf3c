"""Addresses in the envelope."""

from __future__ import annotations

import pytest

from tui_popretr.smtp.addresses import envelope_address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a@receiver.test", "a@receiver.test"),
        ("localuser", "localuser"),
        ("o'neil+x,y(z)@receiver.test", "o'neil+x,y(z)@receiver.test"),
        ("a@bücher.test", "a@xn--bcher-kva.test"),
        ("a@straße.test", "a@xn--strae-oqa.test"),
        ("jürgen@receiver.test", "jürgen@receiver.test"),
        ("jürgen@bücher.test", "jürgen@bücher.test"),
        ("jürgen", "jürgen"),
        (f"a@{'ü' * 70}.test", f"a@{'ü' * 70}.test"),
    ],
)
def test_envelope_address(address: str, expected: str) -> None:
    assert envelope_address(address) == expected


@pytest.mark.parametrize("address", ["a b@x", "a>@x", "<a@x", "a\r\nDATA@x", "a\0@x", "a\x85@x"])
def test_none_ends_its_command(address: str) -> None:
    with pytest.raises(ValueError, match="not allowed"):
        envelope_address(address)
