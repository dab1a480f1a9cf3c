"""Any file at all, for each of the programs: what can be read is read, the rest is counted, nothing fails."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.fs.reading import FileTooLargeError
from tui_popretr.migration import tools
from tui_popretr.migration.seen_file import NAMED, SeenAccountName
from tui_popretr.migration.tools import TOOLS

#: For each program a file of two messages of me@pop.example.net, whose UIDs are u1 and u2.
SAMPLES = {
    "fetchmail": (".fetchids", b"me@pop.example.net u1\nme@pop.example.net u2\n"),
    "getmail": ("oldmail-pop.example.net-995-me", b"u1\x001700000000\nu2\x001700000000\n"),
    "mpop": ("me_at_pop.example.net", b"# mpop\n 2 pop.example.net me\nu1\nu2\n"),
}
ME = SeenAccountName("me", "pop.example.net")

pytestmark = pytest.mark.parametrize("name", TOOLS)


def sample(folder: Path, name: str) -> str:
    """Write a sample file and return its path."""
    file, data = SAMPLES[name]
    (folder / file).write_bytes(data)
    return str(folder / file)


def test_a_file_is_read(tmp_path: Path, name: str) -> None:
    memory = TOOLS[name].read(sample(tmp_path, name))
    assert memory.path == str(tmp_path / SAMPLES[name][0])
    assert memory.of(ME) == ["u1", "u2"]
    assert memory.skipped == 0


def test_a_byte_order_mark_is_not_part_of_the_first_line(tmp_path: Path, name: str) -> None:
    path = Path(sample(tmp_path, name))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    memory = TOOLS[name].read(str(path))
    assert memory.of(ME) == ["u1", "u2"]
    assert memory.skipped == 0


def test_case_counts_in_users_only(tmp_path: Path, name: str) -> None:
    memory = TOOLS[name].read(sample(tmp_path, name))
    assert memory.of(SeenAccountName("me", "POP.Example.NET")) == ["u1", "u2"]
    assert memory.of(SeenAccountName("Me", "pop.example.net")) == []


def test_hosts_are_compared_by_their_one_form(name: str) -> None:
    assert SeenAccountName("me", "pop.example.net").same_as(SeenAccountName("me", "pop.example.net."))
    assert SeenAccountName("me", "straße.example").same_as(SeenAccountName("me", "XN--STRAE-OQA.example"))
    assert not SeenAccountName("me", "straße.example").same_as(SeenAccountName("me", "strasse.example"))


@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.lists(st.sampled_from([b"me@h ", b" 2 h me", b"u1", b"\0", b"17", b" ", b"\n", b"\r", b"#", b"\x1b"])).map(
            b"".join
        ),
    )
)
def test_any_bytes(name: str, data: bytes) -> None:
    memory = TOOLS[name]._parse("oldmail-h-110-me", data)
    lines = len([line for line in data.split(b"\n") if line.strip()])
    uids = [uid for each in memory.accounts for uid in each.uids]
    assert len(uids) <= lines
    assert memory.skipped <= lines
    assert all(re.fullmatch("[^\x00-\x1f\x7f]{1,1000}", uid) for uid in uids)
    assert len(memory.bad) == min(memory.skipped, NAMED)
    assert not any(re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", line.text) for line in memory.bad)


def test_long_lines_cost_no_more_than_their_length(name: str) -> None:
    for data in (b" " * 1_000_000, b"@" * 1_000_000, b"me@h" + b" \t" * 500_000, b"-1" * 500_000, b"\0" * 1_000_000):
        assert TOOLS[name]._parse("oldmail-h-110-me", data).skipped <= 1


def test_a_file_that_is_no_memory_at_all(tmp_path: Path, name: str) -> None:
    memory = TOOLS[name]._parse("x", os.urandom(100_000))
    assert len(memory.bad) == NAMED < memory.skipped


def test_an_endless_file(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_LARGEST", 5)
    with pytest.raises(FileTooLargeError):
        TOOLS[name].read(sample(tmp_path, name))
