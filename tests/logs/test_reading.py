"""Reading the transcript on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ui.lines import line, lines
from tui_popretr.facts import DialogueLine, Direction
from tui_popretr.logs import reading
from tui_popretr.logs.items import Item, Line, Remark, SearchPattern, logged
from tui_popretr.logs.reading import Follower, LinePosition, TranscriptFiles, lines_after, lines_before, read_line
from tui_popretr.logs.transcript import format_line

BANNER = "# 2026-11-23 07:00:00.000 tui-popretr transcript: opened"


def write(path: Path, *items: Item, end: str = "\n") -> str:
    """Make a log file of these items."""
    path.write_text("\n".join(map(logged, items)) + end, encoding="utf-8")
    return str(path)


def texts(items: list[Line]) -> list[str]:
    return [item.text for item in items]


def disk(*paths: str) -> TranscriptFiles:
    return TranscriptFiles(lambda: list(paths))


@settings(max_examples=150)
@given(st.lists(st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"")), max_size=12), st.booleans())
def test_both_ways_give_the_lines_of_the_file(raws: list[bytes], ended: bool) -> None:
    content = b"\n".join(raws) + (b"\n" if ended else b"")
    *whole, rest = content.split(b"\n")
    whole = [raw + b"\n" for raw in whole]
    expected = [*whole, rest] if rest else whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_BLOCK", 5)
        path = Path(os.environ["PYTEST_ONDISK"])
        path.write_bytes(content)
        backward = list(lines_before(str(path)))
        forward = list(lines_after(str(path)))
    assert [raw for _, raw in reversed(backward)] == expected
    assert [content[place.start : place.end] for place, _ in reversed(backward)] == expected
    assert [raw for _, raw in forward] == whole
    assert [content[place.start : place.end] for place, _ in forward] == whole
    for number, (place, _) in enumerate(reversed(backward)):
        assert [raw for _, raw in lines_before(str(path), place.start)] == expected[:number][::-1]
        assert [raw for _, raw in lines_after(str(path), place.end)] == whole[number + 1 :]


@pytest.fixture(autouse=True)
def _scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ONDISK", str(tmp_path_factory.mktemp("ondisk") / "log"))


def test_of_a_huge_line_only_the_beginning_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n" + b"x" * 1_000_000 + b"\nbehind\n")
    raws = [raw for _, raw in lines_before(str(path))]
    assert raws == [b"behind\n", b"x" * 8192, b"before\n"]
    assert [raw for _, raw in lines_after(str(path))] == raws[::-1]
    item = read_line(raws[1])
    assert isinstance(item, Remark)
    assert len(item.text) == 2049


def test_a_line_is_read_as_it_was_written() -> None:
    for each in (line("+OK"), line("a b", "with-dash-1"), line("x", direction=Direction.OPENED, run=12)):
        read = read_line(format_line(each).encode())
        assert isinstance(read, DialogueLine)
        assert format_line(read) == format_line(each)
        assert read.session == each.session
    assert read_line(b"# banner\r\n") == Remark("# banner")
    assert read_line(b"\x1b[2J\n") == Remark("\\x1b[2J")


def test_pieces_go_on_across_files(tmp_path: Path) -> None:
    every = lines(10)
    log = disk(write(tmp_path / "1", *every[:4]), write(tmp_path / "2"), write(tmp_path / "3", *every[4:]))
    chunk = log.before(None, 3)
    assert texts(chunk.lines) == ["line 7", "line 8", "line 9"]
    assert not chunk.complete
    chunk = log.before(chunk.positions[0], 5)
    assert texts(chunk.lines) == ["line 3", "", "line 4", "line 5", "line 6"]
    chunk = log.before(chunk.positions[0], 5)
    assert texts(chunk.lines) == ["line 0", "line 1", "line 2"]
    assert chunk.complete
    assert log.before(chunk.positions[0], 5).lines == []
    chunk = log.after(chunk.positions[-1], 2)
    assert texts(chunk.lines) == ["line 3", ""]
    assert not chunk.complete
    assert texts(log.after(None, 100).lines)[-1] == "line 9"
    assert log.after(None, 100).complete


def test_pieces_of_one_client(tmp_path: Path) -> None:
    log = disk(write(tmp_path / "1", line("a", "one"), line("b", "one-1"), Remark(BANNER), line("c", "one")))
    assert texts(log.before(None, 9, "one").lines) == ["a", "c"]
    assert texts(log.after(None, 9, "one-1").lines) == ["b"]
    assert log.before(None, 9, "none").complete


def test_a_request_reads_only_so_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SCAN", 100)
    log = disk(write(tmp_path / "1", line("wanted", "one"), *lines(20, "two")))
    chunk = log.before(None, 9, "one")
    assert (chunk.lines, chunk.complete) == ([], False)
    for _ in range(20):
        chunk = log.before(chunk.reached, 9, "one")
        if chunk.lines:
            break
    assert texts(chunk.lines) == ["wanted"]
    assert not log.after(None, 9, "three").complete


def test_search_on_disk(tmp_path: Path) -> None:
    log = disk(write(tmp_path / "1", line("Needle", "one"), line("needle 2", "two"), *lines(5)))
    assert texts(log.before(None, 1, None, SearchPattern("needle")).lines) == ["needle 2"]
    assert texts(log.before(None, 1, None, SearchPattern("Needle")).lines) == ["Needle"]
    assert texts(log.before(None, 1, "one", SearchPattern("needle")).lines) == ["Needle"]
    # what stands before the text is not searched
    assert log.before(None, 1, None, SearchPattern("one-1")).lines == []


def test_the_place_of_what_is_shown_is_found(tmp_path: Path) -> None:
    every = [line("same") for _ in range(3)] + lines(10) + [line("same")]
    log = disk(write(tmp_path / "1", Remark(BANNER), *every))
    place = log.find(every[3:])
    assert place is not None
    assert texts(log.before(place, 2).lines) == ["same", "same"]
    place = log.find(every[2:])
    assert place is not None
    assert texts(log.before(place, 9).lines) == [BANNER, "same", "same"]
    assert log.find([line("elsewhere")]) is None
    assert log.find([]) is None
    assert disk(str(tmp_path / "nowhere")).find(every) is None


def test_the_place_is_found_among_other_clients(tmp_path: Path) -> None:
    log = disk(write(tmp_path / "1", line("a", "one"), line("x", "two"), line("b", "one"), line("c", "one")))
    place = log.find([line("b", "one"), line("c", "one")], "one")
    assert place is not None
    assert texts(log.before(place, 9, "one").lines) == ["a"]
    assert log.find([line("a", "one"), line("b", "one")], "one") is not None


def test_a_file_that_is_gone_has_no_lines(tmp_path: Path) -> None:
    log = disk(write(tmp_path / "1", *lines(3)))
    assert log.before(LinePosition("/gone", 5, 9), 5).lines == []
    assert log.after(LinePosition("/gone", 5, 9), 5).complete
    assert list(lines_before(str(tmp_path))) == []


class TestFollower:
    def test_takes_what_is_written_line_by_line(self, tmp_path: Path) -> None:
        path = write(tmp_path / "1", *lines(3), end="\nid1-1 07:27:59.107 << li")
        follower = Follower(path, lambda: [path])
        assert texts(disk(path).before(follower.position, 9).lines) == ["line 0", "line 1", "line 2"]
        assert follower.poll() == ([], 0)
        with open(path, "a", encoding="utf-8") as file:
            file.write("ne 3\nid1-1 07:27:59.107 << half")
        assert texts(follower.poll()[0]) == ["line 3"]
        with open(path, "a", encoding="utf-8") as file:
            file.write(" done\n")
        assert texts(follower.poll()[0]) == ["half done"]

    def test_counts_what_is_too_much(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path / "1", *lines(1))
        follower = Follower(path, lambda: [path])
        monkeypatch.setattr(reading, "CATCH_UP", 200)
        monkeypatch.setattr(reading, "_BLOCK", 64)
        write(tmp_path / "1", *lines(100))
        new, dropped = follower.poll()
        assert texts(new)[-1] == "line 99"
        assert 1 < len(new) < 10
        assert dropped + len(new) == 99

    def test_a_file_that_begins_anew(self, tmp_path: Path) -> None:
        path = write(tmp_path / "1", *lines(10))
        follower = Follower(path, lambda: [path])
        write(tmp_path / "1", line("anew"))
        new, _ = follower.poll()
        assert isinstance(new[0], Remark)
        assert texts(new[1:]) == ["anew"]

    def test_a_file_that_is_replaced(self, tmp_path: Path) -> None:
        path = write(tmp_path / "1", *lines(2))
        follower = Follower(path, lambda: [path])
        os.rename(path, tmp_path / "1.1")
        assert follower.poll() == ([], 0)
        write(tmp_path / "1", *lines(5))
        assert texts(follower.poll()[0])[1:] == [f"line {number}" for number in range(5)]

    def test_the_next_file_is_taken_when_this_one_is_read(self, tmp_path: Path) -> None:
        path = write(tmp_path / "1", line("a"))
        files = [path]
        follower = Follower(path, lambda: files)
        files.append(write(tmp_path / "2", line("c")))
        write(tmp_path / "1", line("a"), line("b"))
        assert texts(follower.poll()[0]) == ["b"]
        assert follower.poll() == ([], 0)
        assert texts(follower.poll()[0]) == ["c"]

    def test_no_such_file(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none", tmp_path):
            with pytest.raises(OSError):
                Follower(str(path), list)
