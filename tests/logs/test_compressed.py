"""Logs that gzip has compressed."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.ui.lines import lines
from tui_popretr.config.model import LogSettings
from tui_popretr.logs import compressed
from tui_popretr.logs.files import files_like, files_of
from tui_popretr.logs.items import Line, logged
from tui_popretr.logs.reading import Follower, TranscriptFiles, lines_after, lines_before


def text_of(count: int) -> bytes:
    return b"".join(logged(each).encode() + b"\n" for each in lines(count))


def texts(items: list[Line]) -> list[str]:
    return [item.text for item in items]


def pack(path: Path) -> Path:
    """Compress a file as gzip does: it keeps the time."""
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    times = os.stat(path)
    os.utime(packed, (times.st_atime, times.st_mtime))
    path.unlink()
    return packed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "t.log").write_bytes(text_of(100))
    return tmp_path / "t.log"


def test_both_ways_read_the_text(path: Path) -> None:
    plain = [raw for _, raw in lines_after(str(path))]
    packed = str(pack(path))
    assert [raw for _, raw in lines_after(packed)] == plain
    assert [raw for _, raw in lines_before(packed)] == plain[::-1]
    for _ in range(compressed._KEPT + 1):
        assert len(compressed._texts) <= compressed._KEPT


def test_a_file_that_is_cut_short_is_read_to_there(path: Path) -> None:
    packed = pack(path)
    content = packed.read_bytes()
    packed.write_bytes(content[: len(content) // 2])
    found = [raw for _, raw in lines_after(str(packed))]
    assert 0 < len(found) < 100
    packed.write_bytes(b"no gzip")
    assert list(lines_after(str(packed))) == []
    packed.unlink()
    assert list(lines_before(str(packed))) == []


def test_a_small_file_with_endless_text(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "LIMIT", 1000)
    packed = str(pack(path))
    with compressed.open_log(packed) as file:
        assert file.seek(0, os.SEEK_END) == 1000


def test_a_page_goes_on_after_the_compression(path: Path) -> None:
    files = TranscriptFiles(lambda: files_like(str(path)))
    page = files.before(None, 10)
    path.rename(path.with_name("t.log.1"))
    path.write_bytes(b"")
    earlier = files.before(page.positions[0]._replace(path=str(path.with_name("t.log.1"))), 10)
    pack(path.with_name("t.log.1"))
    later = files.before(earlier.positions[0], 10)
    assert texts(later.lines) == [f"line {number}" for number in range(70, 80)]
    assert texts(files.after(later.positions[-1], 1).lines) == ["line 80"]


def test_the_files_of_a_log(tmp_path: Path) -> None:
    for age, name in enumerate(["t.log.2", "t.log.1", "t.log"]):
        (tmp_path / name).write_bytes(b"x\n")
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    pack(tmp_path / "t.log.2")
    expected = [str(tmp_path / name) for name in ("t.log.2.gz", "t.log.1", "t.log")]
    assert files_of(LogSettings(str(tmp_path / "t.log"))) == expected
    assert files_like(str(tmp_path / "t.log.2.gz")) == expected
    (tmp_path / "t.log.1.gz").touch()  # gzip is at work
    assert files_of(LogSettings(str(tmp_path / "t.log"))) == expected


def test_a_compressed_log_does_not_grow(path: Path) -> None:
    packed = str(pack(path))
    follower = Follower(packed, lambda: [packed])
    assert follower.position.end == len(text_of(100))
    assert follower.poll() == ([], 0)
