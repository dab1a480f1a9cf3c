"""A message kept until it can be handed over."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from unittest import mock

import pytest

from tui_popretr.delivery.spool import Spool
from tui_popretr.errors import CannotCreate, DeliveryFailed


def test_it_comes_out_as_often_as_it_is_asked_for(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "spool"))
    for part in (b"one", b"two"):
        spool.write(part)
    assert (spool.octets, spool.pending) == (6, 6)
    assert [b"".join(spool.pieces()) for _ in range(2)] == [b"onetwo"] * 2
    assert not (tmp_path / "spool").exists(), "a small one stays in memory"
    spool.spill()
    spool.write(b"three")
    assert (spool.octets, spool.pending) == (11, 5)
    assert [b"".join(spool.pieces()) for _ in range(2)] == [b"onetwothree"] * 2
    spool.spill()
    assert b"".join(spool.pieces()) == b"onetwothree"
    spool.close()


def test_it_can_be_had_as_a_file(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "spool"))
    assert spool.file().read() == b""
    spool.close()
    for parts in ([b"one"], [b"one", b"two", b"three"]):
        spool = Spool(str(tmp_path / "spool"))
        for part in parts:
            spool.write(part)
            if part == b"two":
                spool.spill()
        for _ in range(2):
            assert spool.file().read() == b"".join(parts)
        assert b"".join(spool.pieces()) == b"".join(parts)
        spool.close()


def test_a_large_one_comes_in_small_pieces(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    for number in range(40):
        spool.write(bytes([number]) * 100_000)
        spool.spill()
    pieces = list(spool.pieces())
    assert max(map(len, pieces)) <= 64 * 1024
    assert b"".join(pieces) == b"".join(bytes([number]) * 100_000 for number in range(40))
    spool.close()


def test_the_file_is_private_and_has_no_name(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "spool"))
    before = len(os.listdir("/proc/self/fd"))
    spool.write(b"secret")
    spool.spill()
    assert list((tmp_path / "spool").iterdir()) == []
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    assert spool._file is not None
    assert stat.S_IMODE(os.fstat(spool._file.fileno()).st_mode) == 0o600
    spool.close()
    spool.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_disk_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Spool(str(tmp_path / "file" / "spool"))
    spool.write(b"x")
    with pytest.raises(CannotCreate, match="not a folder"):
        spool.spill()
    spool = Spool(str(tmp_path))
    spool.write(b"x")
    spool.spill()
    with mock.patch("os.pread", side_effect=OSError(errno.EIO, "x")), pytest.raises(DeliveryFailed, match="error"):
        list(spool.pieces())
    with mock.patch("os.pread", return_value=b""), pytest.raises(DeliveryFailed, match="not whole"):
        list(spool.pieces())
    spool.close()
