"""fetchmail's memory, as its versions since 6 write it."""

from __future__ import annotations

import pytest

from tui_popretr.migration.fetchmail import places, read
from tui_popretr.migration.seen_file import SeenAccountName


def accounts(data: bytes) -> dict[str, list[str]]:
    """The UIDs by account."""
    memory = read("f", data)
    assert memory.skipped == 0, memory.bad
    return {f"{each.names[0].user} AT {each.names[0].host}": each.uids for each in memory.accounts}


def test_a_line_for_each_message() -> None:
    data = b"me@pop.example.net 1-abc\nyou@pop.example.net 1-abc\nme@pop.example.net 2-abc\n"
    assert accounts(data) == {"me AT pop.example.net": ["1-abc", "2-abc"], "you AT pop.example.net": ["1-abc"]}


@pytest.mark.parametrize(
    ("line", "account", "uid"),
    [
        (b"me@isp.example@pop.example.net 7", "me@isp.example AT pop.example.net", "7"),
        (b"me@pop.example.net <a@b>", "me AT pop.example.net", "<a@b>"),  # a UID may hold an @
        (b"My Name@pop.example.net 7", "My Name AT pop.example.net", "7"),  # and a user a blank
        (b"me@192.0.2.7 7", "me AT 192.0.2.7", "7"),
        (b"me@::1 7", "me AT ::1", "7"),
        (b"  me@pop.example.net \t 7 \r", "me AT pop.example.net", "7"),
        ("mé@pop.example.net 7".encode(), "mé AT pop.example.net", "7"),
        (b"me@pop.example.net " + b"x" * 1000, "me AT pop.example.net", "x" * 1000),
        (b"me@h caf\xe9", "me AT h", "caf\xe9"),
        (b"me@h #7", "me AT h", "#7"),
    ],
)
def test_lines_that_are_read(line: bytes, account: str, uid: str) -> None:
    assert accounts(line) == {account: [uid]}
    assert accounts(line + b"\n\n") == {account: [uid]}


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"me@pop.example.net", "me@pop.example.net"),
        (b"me 7", "me 7"),
        (b"@pop.example.net 7", "@pop.example.net 7"),
        (b"me@ 7", "me@ 7"),
        (b"me@h 7 8", "me@h 7 8"),
        (b"me@h \x1b[2J", "me@h \\x1b[2J"),
        (b"me@h " + b"x" * 1001, "me@h " + "x" * 55 + "…"),
        (b"\0\0\0", "\\x00\\x00\\x00"),
        (b"# a comment", "# a comment"),
    ],
)
def test_lines_that_are_passed_over_counted_and_named(line: bytes, shown: str) -> None:
    memory = read("f", b"me@h 1\n" + line + b"\nme@h 2\n")
    assert memory.of(SeenAccountName("me", "h")) == ["1", "2"]
    assert memory.skipped == 1
    assert memory.bad == [(2, shown)]


def test_an_account_that_is_no_text_harms_nobody() -> None:
    memory = read("f", b"\xff\x1b@h 1\nme@h 2\n")
    assert memory.of(SeenAccountName("me", "h")) == ["2"]
    assert str(memory.accounts[0].names[0]) == "\\udcff\\x1b@h"


def test_its_usual_places() -> None:
    debian = "/var/lib/fetchmail/.fetchmail-UIDL-cache"
    assert places({"HOME": "/home/me"}) == ["/home/me/.fetchids", debian]
    assert places({"HOME": "/home/me", "HOME_ETC": "/etc/me"}) == ["/etc/me/.fetchids", debian]
    assert places({"HOME": "/h", "HOME_ETC": "/e", "FETCHMAILHOME": "/f"}) == ["/f/.fetchids", debian]
