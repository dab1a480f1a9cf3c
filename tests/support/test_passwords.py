"""The search for passwords in what tests leave behind finds them, and knows where they may stand."""

from __future__ import annotations

import os
import sqlite3
from base64 import b64encode
from codecs import BOM_UTF8
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.passwords import MARK, OCTETS, PASSWORD, discreet, left_in, reveals
from tui_popretr.text import visible


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not searched after the test."""
    return tmp_path_factory.mktemp("passwords")


def found_in(folder: Path, name: str, content: str | bytes) -> bool:
    """Whether a file with this content is told of."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = left_in(folder)
    path.unlink()
    return found == [str(path)]


@pytest.mark.parametrize("before", ["", "\0alice\0", "n,a=alice,\1auth=Bearer ", "a", "ab"])
def test_a_password_is_recognised_however_it_is_written(before: str) -> None:
    whole = f"{before}{PASSWORD}\1\1".encode()
    for written in (whole, b64encode(whole), whole.hex().encode()):
        assert reveals(b"-ERR you said " + written + b"\r\n")
    assert not reveals(b64encode(b"\0alice\0another password"))


def test_octets_that_are_not_utf8_are_recognised(folder: Path) -> None:
    text = OCTETS.decode("utf-8", "surrogateescape")
    for written in (OCTETS, b64encode(b"\0alice\0" + OCTETS), OCTETS.hex().encode(), visible(OCTETS).encode()):
        assert reveals(b"-ERR you said " + written + b"\r\n")
    for shown in (text, repr(text), OCTETS.decode("latin-1")):
        with pytest.raises(AssertionError, match="a password is shown"):
            discreet(shown)
    for start in (b"", BOM_UTF8):
        assert not found_in(folder, "isp.password", start + OCTETS + b"\nsecond line\n")
        assert found_in(folder, "isp.password", start + OCTETS + b"\n" + OCTETS)


def test_it_is_found_in_any_file(folder: Path) -> None:
    for content in (f"<< -ERR bad password {PASSWORD}\n", b64encode(f"\0me\0{PASSWORD}".encode()), f"\n{PASSWORD}"):
        for name in ("transcript.log", "popretr.sqlite-wal", "1.Q1.host", "rc.xml", "password"):
            assert found_in(folder, name, content)
    assert found_in(folder, f"{MARK}.log", "")


def test_it_is_found_in_a_journal(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        connection.execute("CREATE TABLE message (uid TEXT)")
        connection.execute("INSERT INTO message VALUES (?)", (f"uid-{PASSWORD}",))
        connection.commit()
    assert left_in(folder) == [str(folder / "journal.sqlite")]


def test_where_one_may_stand(folder: Path) -> None:
    assert not found_in(folder, "rc.xml", f"<server><password>{PASSWORD}</password></server><ssl kspass='' />")
    assert not found_in(folder, "rc.xml", f'<ssl kspass="{PASSWORD}"/>\n<password command="echo {PASSWORD}"/>')
    assert not found_in(folder, "isp.password", f"{PASSWORD}\n")
    assert not found_in(folder, "ask", f"#!/bin/sh\necho {PASSWORD}\n")
    assert found_in(folder, "rc.xml", f"<username>{PASSWORD}</username>")
    assert found_in(folder, "rc.xml", f"<password>{PASSWORD}</password><!-- {PASSWORD} -->")
    assert found_in(folder, "isp.password", f"{PASSWORD}\nuser: {PASSWORD}\n")
    assert found_in(folder, "ask", f"#!/bin/sh\necho {PASSWORD} >>log\n")


def test_what_is_no_file_is_passed_over(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/dev/zero")
    with (folder / "endless").open("wb") as file:
        file.truncate(2**40)
    assert left_in(folder) == []


def test_output_is_searched(capsys: pytest.CaptureFixture[str]) -> None:
    print("nothing to see")
    assert capsys.readouterr().out == "nothing to see\n"
    print(PASSWORD)
    with pytest.raises(AssertionError, match="a password is shown"):
        capsys.readouterr()
    with pytest.raises(AssertionError, match="a password is shown"):
        discreet("fine", f"{PASSWORD}")
