"""One contract for every sink that is files: open, write, publish or abort."""

from __future__ import annotations

import errno
import os
import pwd
import resource
import stat
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest

from tests.delivery.making import JOURNAL, WHEN, Place, finish, path_of, prepare
from tests.support.waiting import wait_for
from tui_popretr.delivery import names
from tui_popretr.delivery.filedraft import SPILL, FileDraft
from tui_popretr.errors import CannotCreate, ConfigurationError, DeliveryFailed, ExitCode

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(params=["maildir", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(request.param, tmp_path / "store" / "user1" / "mail")


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_every_kind_keeps_the_contract(place: Place) -> None:
    sink = place.sink()
    sink.make_ready(0)
    draft = sink.open(7, WHEN)
    assert draft.record_id == 7
    for part in (b"Subject: x\r", b"\n\r\n", b".\r\n..\r\ntext\r\n"):
        draft.write(part)
    assert draft.pending == 27
    finish(draft)
    assert list(place.finished().values()) == [b"Subject: x\r\n\r\n.\r\n..\r\ntext\r\n"]
    assert place.unfinished() == []
    assert draft.description.startswith(("Maildir=", "File="))


def test_what_was_written_arrives(place: Place) -> None:
    draft = place.sink().open(7, WHEN)
    for part in (b"Subject: x\r\n", b"\r\n", b"bare\r and \n and \0\r\n"):
        draft.write(part)
    finish(draft)
    assert place.finished() == {path_of(draft.final).name: b"Subject: x\r\n\r\nbare\r and \n and \0\r\n"}
    assert place.unfinished() == []


def test_an_empty_message_arrives(place: Place) -> None:
    draft = place.sink().open(7, WHEN)
    finish(draft)
    assert list(place.finished().values()) == [b""]


def test_opening_and_writing_touch_no_disk(place: Place) -> None:
    draft = place.sink().open(7, WHEN)
    draft.write(b"x" * (2 * SPILL))
    assert draft.pending == 2 * SPILL
    assert not place.path.parent.parent.exists()


def test_a_full_disk_is_told_before_anything_is_asked_for(place: Place) -> None:
    sink = place.sink()
    sink.make_ready(1)
    assert place.path.is_dir()
    with pytest.raises(DeliveryFailed, match="the disk is full") as raised:
        sink.make_ready(2**62)
    assert raised.value.exit_code is ExitCode.IO_ERROR
    assert "make room" in raised.value.advice


def test_a_large_message_is_spilled_and_memory_stays_small(place: Place) -> None:
    def line(number: int) -> bytes:
        return b"%126d\r\n" % number

    draft = place.sink().open(7, WHEN)
    for number in range(40):
        draft.write(line(number) * (SPILL // 128))
        if draft.pending >= SPILL:
            draft.spill()
            assert draft.pending == 0
    draft.write(b"end\r\n")
    finish(draft)
    (content,) = place.finished().values()
    assert content == b"".join(line(number) * (SPILL // 128) for number in range(40)) + b"end\r\n"


def test_nothing_is_visible_before_it_is_published(place: Place) -> None:
    draft = place.sink().open(7, WHEN)
    draft.write(b"x")
    prepare(draft)
    assert place.finished() == {}
    assert place.unfinished() == [path_of(draft.tmp)]


def test_files_and_folders_are_private(place: Place, tmp_path: Path) -> None:
    with mock.patch("os.umask"):
        finish(place.sink().open(7, WHEN))
    assert {mode(file) for file in place.all_files()} == {0o600}
    assert {mode(p) for p in tmp_path.rglob("*") if p.is_dir()} == {0o700}


def test_a_maildir_is_made_whole(tmp_path: Path) -> None:
    place = Place("maildir", tmp_path / "m")
    place.sink().make_ready(0)
    assert sorted(os.listdir(place.path)) == ["cur", "new", "tmp"]


def advance(draft: FileDraft, step: str) -> None:
    """Take a draft of one octet as far as a step."""
    if step != "open":
        draft.write(b"x")
    match step:
        case "spill":
            draft.spill()
        case "flush":
            draft.flush()
        case "sync":
            prepare(draft)


@pytest.mark.parametrize("step", ["open", "write", "spill", "flush", "sync"])
def test_an_aborted_draft_leaves_nothing(place: Place, step: str) -> None:
    draft = place.sink().open(7, WHEN)
    advance(draft, step)
    before = len(os.listdir("/proc/self/fd"))
    draft.abort()
    draft.abort()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert list(place.all_files()) == []
    with pytest.raises(DeliveryFailed):
        draft.publish()


def test_abort_after_publication_takes_nothing_back(place: Place) -> None:
    draft = place.sink().open(7, WHEN)
    finish(draft)
    draft.abort()
    assert len(place.finished()) == 1


def test_a_draft_that_is_not_durable_is_not_published(place: Place) -> None:
    draft = place.sink().open(7, WHEN)
    draft.flush()
    with pytest.raises(RuntimeError):
        draft.publish()
    draft.abort()


def test_no_descriptor_stays_open(place: Place) -> None:
    def open_ones() -> list[str]:
        found = []
        for number in os.listdir("/proc/self/fd"):
            with suppress(FileNotFoundError):  # that of the listing itself
                found.append(os.readlink(f"/proc/self/fd/{number}"))
        return sorted(found)

    before = open_ones()
    sink = place.sink()
    draft = sink.open(7, WHEN)
    draft.write(b"x\r\n")
    draft.spill()
    finish(draft)
    wait_for(lambda: open_ones() == before, "the end of all that was opened")


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda p: p.symlink_to("nowhere")])
def test_nothing_is_ever_replaced(place: Place, make: Callable[[Path], object]) -> None:
    draft = place.sink().open(7, WHEN)
    draft.write(b"new")
    prepare(draft)
    final = path_of(draft.final)
    make(final)
    before = final.lstat()
    with pytest.raises(CannotCreate, match="already"):
        draft.publish()
    assert final.lstat() == before
    draft.abort()
    assert final.lstat() == before
    assert place.unfinished() == []


def test_a_name_that_is_linked_already_counts_as_published(tmp_path: Path) -> None:
    draft = Place("folder", tmp_path).sink().open(7, WHEN)
    prepare(draft)
    assert draft.tmp is not None
    assert draft.final is not None
    os.link(draft.tmp, draft.final)
    draft.publish()
    assert os.path.exists(draft.final)


def test_where_there_are_no_hard_links_it_is_renamed(tmp_path: Path) -> None:
    place = Place("folder", tmp_path / "f")
    with mock.patch("os.link", side_effect=OSError(errno.EPERM, "no links here")):
        finish(place.sink().open(7, WHEN))
        taken = place.sink().open(7, WHEN)
        prepare(taken)
        with pytest.raises(CannotCreate):
            taken.publish()
    assert len(place.finished()) == 1


def test_many_threads_deliver_through_one_sink(place: Place) -> None:
    sink = place.sink()

    def deliver(number: int) -> None:
        draft = sink.open(number, WHEN)
        draft.write(b"%d" % number)
        finish(draft)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, range(40)))
    assert sorted(int(content) for content in place.finished().values()) == list(range(40))


def test_folders_removed_in_the_meantime_are_made_again(place: Place) -> None:
    sink = place.sink()
    finish(sink.open(1, WHEN))
    subprocess.run(["rm", "-r", str(place.path)], check=True)
    finish(sink.open(2, WHEN))
    assert len(place.finished()) == 1


def test_every_folder_made_is_durable_before_the_record(place: Place) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    sink = place.sink()
    draft = sink.open(7, WHEN)
    with mock.patch("os.fsync", fsync):
        prepare(draft)
    holders = {str(place.path.parent), str(place.path.parent.parent), str(place.path.parent.parent.parent)}
    if place.kind == "maildir":
        holders.add(str(place.path))
    tmp = str(path_of(draft.tmp).parent)
    assert {*synced, *draft.folders_before()} >= {*holders, tmp, str(draft.tmp)}
    finish(sink.open(8, WHEN))
    later = sink.open(9, WHEN)
    prepare(later)
    assert later.folders_before() == (tmp,), "known to be durable by now"


def test_the_first_message_syncs_folders_of_a_killed_process(place: Place) -> None:
    place.sink().make_ready(0)
    draft = place.sink().open(7, WHEN)
    prepare(draft)
    holder = place.path if place.kind == "maildir" else place.path.parent
    assert str(holder) in draft.folders_before()
    draft.abort()


def test_the_folder_of_the_final_name_is_synced_afterwards(place: Place) -> None:
    draft = place.sink().open(7, WHEN)
    assert draft.folder == str(path_of(draft.final).parent)


FAILURES = {
    "write": ("os.write", errno.ENOSPC, DeliveryFailed, "the disk is full"),
    "quota": ("os.write", errno.EDQUOT, DeliveryFailed, "quota"),
    "fsync": ("os.fsync", errno.EIO, DeliveryFailed, "input/output error"),
    "create": ("os.open", errno.EROFS, CannotCreate, "read-only"),
    "descriptors": ("os.open", errno.EMFILE, DeliveryFailed, "too many open files"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_told_in_words_and_leaves_nothing(place: Place, failure: str) -> None:
    function, number, kind, words = FAILURES[failure]
    sink = place.sink()
    sink.make_ready(0)
    draft = sink.open(7, WHEN)
    draft.write(b"x")
    with mock.patch(function, side_effect=OSError(number, os.strerror(number))), pytest.raises(kind, match=words) as e:
        prepare(draft)
    assert type(e.value) is kind
    assert str(place.path) in str(e.value)
    with pytest.raises(DeliveryFailed):
        prepare(draft)
    with pytest.raises(DeliveryFailed):
        draft.publish()
    draft.abort()
    assert list(place.all_files()) == []


def test_a_failed_fsync_is_final(place: Place) -> None:
    draft = place.sink().open(7, WHEN)
    draft.flush()
    with mock.patch("os.fsync", side_effect=OSError(errno.EIO, "x")), pytest.raises(DeliveryFailed):
        draft.fsync()
    with pytest.raises(DeliveryFailed):
        draft.fsync()
    draft.abort()


def test_a_file_in_the_folders_place(place: Place) -> None:
    place.path.parent.mkdir(parents=True)
    place.path.write_text("I was here first")
    draft = place.sink().open(7, WHEN)
    with pytest.raises(CannotCreate, match=r"not a folder|already") as caught:
        prepare(draft)
    assert caught.value.exit_code is ExitCode.CANT_CREATE
    draft.abort()
    assert place.path.read_text() == "I was here first"


def test_a_short_write_is_continued(place: Place) -> None:
    real = os.write
    draft = place.sink().open(7, WHEN)
    draft.write(b"0123456789" * 1000)
    with mock.patch("os.write", lambda fd, data: real(fd, data[:777])):
        finish(draft)
    assert list(place.finished().values()) == [b"0123456789" * 1000]


@needs_root
@pytest.mark.root
def test_a_disk_that_is_really_full(place: Place) -> None:
    place.path.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place.path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        sink = place.sink()
        draft = sink.open(7, WHEN)
        with pytest.raises(DeliveryFailed, match="the disk is full"):
            for _ in range(20):
                draft.write(b"x" * SPILL)
                draft.spill()
        draft.abort()
        assert list(place.all_files()) == []
        finish(sink.open(8, WHEN))
        subprocess.run(["mount", "-o", "remount,ro", str(place.path)], check=True)
        refused = sink.open(9, WHEN)
        with pytest.raises(CannotCreate, match="read-only"):
            prepare(refused)
        refused.abort()
    finally:
        subprocess.run(["umount", str(place.path)], check=True)


def test_a_file_larger_than_allowed(place: Place) -> None:
    place.sink().make_ready(0)
    draft = place.sink().open(7, WHEN)
    draft.write(b"x" * 100_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(DeliveryFailed, match="larger than the system allows"):
            prepare(draft)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    draft.abort()
    assert list(place.all_files()) == []


@pytest.fixture
def foreign_owner(tmp_path: Path) -> Iterator[pwd.struct_passwd]:
    try:
        yield pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("no system user nobody")


@needs_root
@pytest.mark.root
@pytest.mark.parametrize("kind", ["maildir", "folder"])
def test_files_and_folders_of_a_system_user(kind: str, tmp_path: Path, foreign_owner: pwd.struct_passwd) -> None:
    place = Place(kind, tmp_path / "store" / "nobody" / "mail")
    finish(place.sink(owner="nobody").open(7, WHEN))
    owned = [place.path.parent, *place.path.parent.rglob("*")]
    assert {(p.stat().st_uid, p.stat().st_gid) for p in owned} == {(foreign_owner.pw_uid, foreign_owner.pw_gid)}
    assert {mode(p) for p in owned} == {0o600, 0o700}
    shared = tmp_path / "store"
    assert (shared.stat().st_uid, mode(shared)) == (0, 0o711)


def test_a_system_user_who_does_not_exist(place: Place) -> None:
    draft = place.sink(owner="no-such-user-here").open(7, WHEN)
    with pytest.raises(ConfigurationError, match="no-such-user-here"):
        prepare(draft)
    draft.abort()
    assert list(place.all_files()) == []


def test_orphans_are_ours_dead_and_in_no_record(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = place.sink()
    sink.make_ready(0)

    def leave(journal: str, record: int) -> str:
        draft = place.sink(journal).open(record, WHEN)
        prepare(draft)
        assert draft.tmp is not None
        return draft.tmp

    monkeypatch.setattr(names, "PROCESS_TOKEN", "deadbeef")
    orphan, recorded, strangers = leave(JOURNAL, 1), leave(JOURNAL, 2), leave("ffffffff", 3)
    monkeypatch.undo()
    in_flight = leave(JOURNAL, 4)
    unrelated = path_of(orphan).parent / ".something.part"
    unrelated.touch()
    published = sink.open(5, WHEN)
    finish(published)
    assert sink.clean_orphans({recorded}) == [orphan]
    assert {str(p) for p in place.unfinished()} == {recorded, strangers, in_flight, str(unrelated)}
    assert path_of(published.final).exists()


def test_orphans_of_a_place_that_is_not_there(place: Place) -> None:
    assert place.sink().clean_orphans(()) == []


def test_keys_name_the_place(tmp_path: Path) -> None:
    assert Place("maildir", tmp_path / "a" / "." / "b").sink().key == f"maildir:{tmp_path}/a/b"
    assert Place("folder", tmp_path).sink().key == f"folder:{tmp_path}"
