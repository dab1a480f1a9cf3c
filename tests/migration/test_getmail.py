"""getmail's memory, versions 5 and 6."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_popretr.migration.getmail import accounts_of, places, read, spelled
from tui_popretr.migration.seen_file import SeenAccountName

PATH = "/home/me/.getmail/oldmail-pop.example.net-995-me"
ME = SeenAccountName("me", "pop.example.net")


def test_a_line_for_each_message() -> None:
    memory = read(PATH, b"UID1-1\x001700000000\nUID1-2\x001700000001\n\n")
    assert memory.of(ME) == ["UID1-1", "UID1-2"]
    assert memory.skipped == 0


def test_uids_are_read_as_a_server_gives_them() -> None:
    uids = (b"two words", b"caf\xe9", b"x" * 1000)
    assert read(PATH, b"".join(b"%b\x001700000000\n" % uid for uid in uids)).of(ME) == [
        "two words",
        "caf\xe9",
        "x" * 1000,
    ]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"UID1-1", "UID1-1"),
        (b"\x001700000000", "\\x001700000000"),
        (b"a\tb\x001700000000", "a\\x09b\\x001700000000"),
        (b"a\x00yesterday", "a\\x00yesterday"),
        (b"a\x00", "a\\x00"),
        (b"\x1b]0;x\x07\x001", "\\x1b]0;x\\x07\\x001"),
    ],
)
def test_lines_that_are_passed_over_counted_and_named(line: bytes, shown: str) -> None:
    memory = read(PATH, b"1\x001\n" + line + b"\n2\x00-1\r\n")
    assert memory.of(ME) == ["1", "2"]
    assert memory.bad == [(2, shown)]


@pytest.mark.parametrize(
    ("name", "accounts"),
    [
        ("oldmail-pop.example.net-110-me@isp.example", ["me@isp.example@pop.example.net"]),
        ("oldmail-pop-3.example.net-995-my-name", ["my-name@pop-3.example.net"]),
        # digits between hyphens: the usual ports come first
        ("oldmail-pop.example.net-995-me-7-x", ["me-7-x@pop.example.net", "x@pop.example.net-995-me"]),
        ("oldmail-pop-1-x.example.net-995-me", ["me@pop-1-x.example.net", "x.example.net-995-me@pop"]),
        ("oldmail--1-110-me", ["me@-1"]),  # of ::1
        ("'oldmail-pop.example.net-995-me'", ["me@pop.example.net"]),
        ('"oldmail-pop.example.net-995-me"', ["me@pop.example.net"]),
        ("oldmail-'pop.example.net'-995-'me'", ["me@pop.example.net"]),
        ('oldmail-"pop.example.net"-995-me', ["me@pop.example.net"]),
        ("'getmailrc'", []),
        ("oldmail-pop.example.net-me", []),
        ("oldmail-110-me", []),
        ("getmailrc", []),
        ("oldmail-", []),
    ],
)
def test_the_name_tells_whose_it_is(name: str, accounts: list[str]) -> None:
    assert [str(account) for account in accounts_of(name)] == accounts


def test_every_reading_of_a_name_is_found() -> None:
    memory = read("oldmail-pop-1-x.example.net-995-me", b"7\x001\n")
    assert memory.of(SeenAccountName("me", "POP-1-x.example.net")) == ["7"]
    assert memory.of(SeenAccountName("me", "x.example.net")) == []


def test_characters_that_are_not_in_names_of_files() -> None:
    account = spelled(SeenAccountName("dom\\me:x|<y>", "::1"))
    assert account == SeenAccountName("dom-me-x-y-", "-1")
    assert read("oldmail--1-110-dom-me-x-y-", b"7\x001\n").of(account) == ["7"]


def test_its_usual_places(tmp_path: Path) -> None:
    for folder, name in (
        (".getmail", "oldmail-h-110-me"),
        (".getmail", "getmailrc"),
        (".config/getmail", "oldmail-h-995-me"),
        ("xdg/getmail", "oldmail-h-995-you"),
        ("xdg/getmail", "'oldmail-h-995-them'"),
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).touch()
    home = {"HOME": str(tmp_path)}
    assert [path.removeprefix(f"{tmp_path}/") for path in places(home)] == [
        ".config/getmail/oldmail-h-995-me",
        ".getmail/oldmail-h-110-me",
    ]
    assert [path.removeprefix(f"{tmp_path}/") for path in places({**home, "XDG_CONFIG_HOME": f"{tmp_path}/xdg"})] == [
        "xdg/getmail/'oldmail-h-995-them'",
        "xdg/getmail/oldmail-h-995-you",
        ".getmail/oldmail-h-110-me",
    ]
    assert places({"HOME": "/nonexistent"}) == []
