"""Permissions of delivered files and of the folders made for them."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.delivery.making import WHEN, Place, finish, path_of, prepare
from tui_popretr.config.model import Modes
from tui_popretr.delivery.filedraft import SPILL
from tui_popretr.errors import CannotCreate, DeliveryFailed

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
SHARED = Modes(0o660, 0o2770)


@pytest.fixture(params=["maildir", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(request.param, tmp_path / "store" / "user1" / "mail")


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes_under(top: Path) -> tuple[set[int], set[int]]:
    """The modes of the files and of the folders."""
    files = {mode(path) for path in top.rglob("*") if path.is_file()}
    return files, {mode(path) for path in top.rglob("*") if path.is_dir()}


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("modes", [Modes(), SHARED, Modes(0o640, 0o750), Modes(0o644, 0o755), Modes(0o666, 0o777)])
def test_files_and_folders_have_exactly_their_modes(place: Place, tmp_path: Path, modes: Modes) -> None:
    sink = place.sink(modes=modes)
    sink.make_ready(0)
    finish(sink.open(7, WHEN))
    large = sink.open(8, WHEN)
    large.write(b"x" * SPILL)
    large.spill()
    assert mode(path_of(large.tmp)) == modes.file, "before its end"
    finish(large)
    assert modes_under(tmp_path) == ({modes.file}, {modes.folder})


def test_existing_folders_are_not_changed(place: Place, tmp_path: Path) -> None:
    place.path.mkdir(parents=True)
    place.path.chmod(0o711)
    finish(place.sink(modes=SHARED).open(7, WHEN))
    assert mode(place.path) == 0o711
    assert mode(place.path.parent) != 0o2770
    files, folders = modes_under(place.path)
    assert files == {0o660}
    assert folders == ({0o2770} if place.kind == "maildir" else set())


def test_two_clients_with_modes_of_their_own(place: Place) -> None:
    private, shared = place.sink(), place.sink(modes=SHARED)
    for sink, identifier in ((private, 1), (shared, 2), (private, 3)):
        finish(sink.open(identifier, WHEN))
    assert sorted(mode(path) for path in place.all_files()) == [0o600, 0o600, 0o660]
    assert mode(place.path) == 0o700


@pytest.mark.parametrize("modes", [Modes(), Modes(0o660, 0o770)])
def test_an_inherited_setgid_bit_stays(place: Place, tmp_path: Path, modes: Modes) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(0o2770)
    finish(place.sink(modes=modes).open(7, WHEN))
    assert modes_under(tmp_path / "store") == ({modes.file}, {modes.folder | 0o2000})


@needs_root
@pytest.mark.root
def test_a_group_gets_mail_through_setgid_folders(place: Place, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    os.chown(tmp_path / "store", -1, 65534)
    (tmp_path / "store").chmod(0o2770)
    finish(place.sink(modes=SHARED).open(7, WHEN))
    assert {path.stat().st_gid for path in (tmp_path / "store").rglob("*")} == {65534}


@needs_root
@pytest.mark.root
def test_modes_of_a_system_users_files(tmp_path: Path) -> None:
    owner = pwd.getpwuid(65534).pw_name
    place = Place("maildir", tmp_path / "store" / owner / "mail")
    finish(place.sink(owner=owner, modes=SHARED).open(7, WHEN))
    assert modes_under(tmp_path / "store" / owner) == ({0o660}, {0o2770})
    assert {path.stat().st_uid for path in (tmp_path / "store" / owner).rglob("*")} == {65534}
    assert mode(tmp_path / "store") == 0o711, "it is ours, for all users to pass"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_a_file_system_without_modes_takes_mail(place: Place, number: int) -> None:
    with mock.patch("os.fchmod", side_effect=OSError(number, "no modes here")):
        finish(place.sink(modes=SHARED).open(7, WHEN))
    assert len(place.finished()) == 1


def test_a_mode_that_cannot_be_set_fails_the_delivery(place: Place) -> None:
    sink = place.sink(modes=SHARED)
    sink.make_ready(0)
    draft = sink.open(7, WHEN)
    failing = mock.patch("os.fchmod", side_effect=OSError(errno.EIO, os.strerror(errno.EIO)))
    with failing, pytest.raises(DeliveryFailed, match="input/output error"):
        prepare(draft)
    draft.abort()
    assert list(place.all_files()) == []


def test_a_folder_whose_mode_cannot_be_set_is_not_left_behind(place: Place) -> None:
    failing = mock.patch("os.fchmod", side_effect=OSError(errno.EIO, os.strerror(errno.EIO)))
    with failing, pytest.raises(DeliveryFailed, match="cannot make the folder"):
        place.sink(modes=SHARED).make_ready(0)
    assert not place.path.exists()
    finish(place.sink(modes=SHARED).open(7, WHEN))
    assert mode(place.path) == 0o2770


def test_a_setgid_bit_that_is_forbidden(place: Place) -> None:
    """As by systemd's RestrictSUIDSGID, which is in the sample unit."""
    real = os.fchmod

    def fchmod(descriptor: int, wanted: int) -> None:
        if wanted & stat.S_ISGID:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        real(descriptor, wanted)

    with mock.patch("os.fchmod", fchmod):
        with pytest.raises(CannotCreate, match="foldermode 02770 needs the setgid bit") as caught:
            place.sink(modes=SHARED).make_ready(0)
        assert "RestrictSUIDSGID=no" in caught.value.advice
        assert not place.path.parent.parent.exists()
        finish(place.sink(modes=Modes(0o660, 0o770)).open(7, WHEN))
    assert mode(place.path) == 0o770
