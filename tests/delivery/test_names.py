"""Names are unique, readable, ours, and never a server's."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.delivery.making import JOURNAL, WHEN, client, file_sink
from tui_popretr.config.model import FolderDestination, MaildirDestination
from tui_popretr.delivery import names

PRINT_NAME = """
from datetime import datetime
from tui_popretr.delivery.names import maildir_name
print(maildir_name("0123abcd", 1, datetime.fromtimestamp(0)))
"""


def test_a_maildir_name_has_the_usual_three_parts() -> None:
    name = names.maildir_name(JOURNAL, 17, WHEN)
    assert re.fullmatch(rf"{int(WHEN.timestamp())}\.J{JOURNAL}P[0-9a-f]{{8}}Q17\.[A-Za-z0-9._-]+", name)


def test_maildir_names_differ_after_a_reset_of_the_clock() -> None:
    """A restored journal begins again at an old id, and the clock stands where it stood."""
    other = subprocess.run([sys.executable, "-c", PRINT_NAME], capture_output=True, text=True, timeout=30, check=True)
    again = subprocess.run([sys.executable, "-c", PRINT_NAME], capture_output=True, text=True, timeout=30, check=True)
    assert other.stdout != again.stdout


@pytest.mark.parametrize("host", ["a/b:c\n", "", "x" * 300])
def test_the_host_is_made_safe(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names._host.cache_clear()
    monkeypatch.setattr("socket.gethostname", lambda: host)
    try:
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", names.maildir_name(JOURNAL, 1, WHEN).split(".", 2)[2])
    finally:
        names._host.cache_clear()


def test_a_folder_name_is_as_documented() -> None:
    assert names.folder_name("id1", 17, WHEN) == "20261123-072759-id1-17.eml"
    assert names.folder_name("id1", 17, WHEN + timedelta(hours=10)) == "20261123-172759-id1-17.eml"


@pytest.mark.parametrize("identifier", ["../../etc", "a/b", ".", "ä\n", "x" * 300])
def test_a_client_id_cannot_leave_the_folder(identifier: str) -> None:
    settings = replace(client(FolderDestination("/mail")), id=identifier)
    draft = file_sink(settings).open(1, WHEN)
    for path in (draft.tmp, draft.final):
        assert path is not None
        assert Path(path).parent == Path("/mail")
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,255}", Path(path).name)


def test_descriptions_are_those_of_the_audit_log() -> None:
    mailbox = file_sink(client(MaildirDestination("/ms/user1/Maildir", "user1"))).open(1, WHEN)
    maildir = file_sink(client(MaildirDestination("/m"))).open(1, WHEN)
    folder = file_sink(client(FolderDestination("/f"))).open(1, WHEN)
    assert mailbox.description == "Mailbox=user1"
    assert maildir.description == "Maildir=/m"
    assert folder.description == "File=/f/20261123-072759-id1-1.eml"


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("J0123abcdPdeadbeefQ1", True),
        pytest.param(names.tag(JOURNAL, 1), False, id="this process"),
        ("J0123abceePdeadbeefQ1", False),
        ("J0123abcePdeadbeefQ1", False),
        ("J0123abcdPdeadbeefQ1x", False),
        ("J0123abcdPdeadbeef", False),
        ("M123P456Q1", False),
        ("", False),
    ],
)
def test_whose_a_file_is(tag: str, expected: bool) -> None:
    assert names.is_left_behind(tag, JOURNAL) is expected


@pytest.mark.parametrize("name", ["x", "1.2", ".part", ".x.part", "a.b.c.part", ".hidden"])
def test_foreign_names_have_no_tag_of_ours(name: str) -> None:
    assert not names.is_left_behind(names.part_tag(name), JOURNAL)
    assert not names.is_left_behind(names.maildir_tag(name), JOURNAL)
