"""Places that may not be written, or are there no more: of messages, of the journal, of the logs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.scene import HIT, OTHER, Scene, mails
from tests.program import needs
from tests.program.namespace import Namespace, new_disk
from tests.program.relay import Gate
from tests.support.waiting import wait_for

# --- read-only file systems -----------------------------------------------------------------------------------------


def test_the_destination_is_read_only(scene: Scene, namespace: Namespace, tmp_path: Path) -> None:
    disk = new_disk(namespace, tmp_path / "disk", "1m")
    scene.maildirs[HIT] = disk.seen / "mail"
    scene.configure_both(maildir=disk.path / "mail")
    disk.remount("ro")
    scene.send(HIT, mails(HIT, 5))
    scene.send(OTHER, mails(OTHER, 5))
    done = scene.once(wrapper=namespace.wrapper)
    assert done.code == 73, done.err
    assert (
        f"hit: failed: cannot make the folder {disk.path}/mail: the file system is read-only "
        "(mount it writable, and look why it is not)"
    ) in done.err, done.err
    scene.assert_all(OTHER)
    assert scene.heard(HIT, "RETR") == []

    disk.remount("rw")
    assert scene.once(wrapper=namespace.wrapper).code == 0
    scene.assert_all()


def test_the_destination_becomes_read_only(scene: Scene, gate: Gate, namespace: Namespace, tmp_path: Path) -> None:
    disk = new_disk(namespace, tmp_path / "disk", "4m")
    scene.maildirs[HIT] = disk.seen / "mail"
    scene.configure_both(maildir=disk.path / "mail", address=gate.address)
    scene.send(HIT, mails(HIT, 20, 10_000))
    scene.send(OTHER, mails(OTHER, 5))
    gate.shut(after=100_000)
    with scene.running("--once", wrapper=namespace.wrapper) as process:
        gate.reached()
        # the message that is cut off is in memory only: nothing is open for writing, which would be in the way
        wait_for(lambda: scene.deleting(HIT) == 9, "what has come so far")
        disk.remount("ro")
        gate.open()
        done = process.finish()
    assert done.code == 73, done.err
    assert "hit: failed: 11 messages could not be stored: cannot write " in done.err, done.err
    assert ": the file system is read-only (" in done.err
    assert "before that 9 messages" in done.err
    scene.assert_all(OTHER)
    scene.assert_kept(HIT)
    assert scene.left(HIT) == 11

    disk.remount("rw")
    assert scene.once(wrapper=namespace.wrapper).code == 0
    scene.assert_all()


def test_the_journals_place_is_read_only(scene: Scene, namespace: Namespace, tmp_path: Path) -> None:
    disk = new_disk(namespace, tmp_path / "disk", "1m")
    journal = disk.path / "var" / "popretr.sqlite"
    scene.configure_both(journal=journal)
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    for before in ("never made", "made before"):
        disk.remount("ro")
        done = scene.once(wrapper=namespace.wrapper)
        assert done.code == 73, (before, done.err)
        assert f"the journal {journal} cannot be opened: the file system is read-only" in done.err, done.err
        assert "mount it writable, and look why it is not; until then nothing is retrieved" in done.err
        assert (scene.left(HIT), scene.left(OTHER)) == (5, 5)
        disk.remount("rw")
        assert scene.once(wrapper=namespace.wrapper).code == 0
        scene.assert_all()
        for name in (HIT, OTHER):
            scene.send(name, mails(f"{name}.{before[0]}", 5))


# --- permissions ----------------------------------------------------------------------------------------------------


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A folder that may not be written."""
    needs.need(needs.powerlessness)
    path = tmp_path / "locked"
    path.mkdir(0o500)
    return path


def test_no_permission_for_the_destination(scene: Scene, locked: Path) -> None:
    scene.maildirs[HIT] = locked / "mail"
    scene.configure_both()
    scene.send(HIT, mails(HIT, 5))
    scene.send(OTHER, mails(OTHER, 5))
    done = scene.once(wrapper=needs.without_powers())
    assert done.code == 73, done.err
    assert (
        f"hit: failed: cannot make the folder {locked}/mail: permission denied "
        "(give the program's user the right to write there)"
    ) in done.err, done.err
    scene.assert_all(OTHER)
    assert scene.heard(HIT, "RETR") == []

    locked.chmod(0o700)
    assert scene.once(wrapper=needs.without_powers()).code == 0
    scene.assert_all()


@pytest.mark.parametrize("sub", ["tmp", "new"])
def test_no_permission_for_a_folder_of_the_maildir(scene: Scene, sub: str) -> None:
    """The folders are there, and another user's, as it were. With new it shows only when all has been written."""
    needs.need(needs.powerlessness)
    scene.configure_both()
    assert scene.once(wrapper=needs.without_powers()).code == 0
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 1))
    assert scene.once(wrapper=needs.without_powers()).code == 0
    scene.send(HIT, mails("second", 5))
    scene.send(OTHER, mails("other.second", 5))
    (scene.maildirs[HIT] / sub).chmod(0o500)
    done = scene.once(wrapper=needs.without_powers())
    assert done.code == 73, done.err
    assert ": permission denied (give the program's user the right to write there)" in done.err, done.err
    scene.assert_all(OTHER)
    scene.assert_kept(HIT)
    assert scene.unfinished(HIT) == []
    assert scene.left(HIT) == 5

    (scene.maildirs[HIT] / sub).chmod(0o700)
    assert scene.once(wrapper=needs.without_powers()).code == 0
    scene.assert_all()


def test_no_permission_for_the_journals_folder(scene: Scene, locked: Path) -> None:
    journal = locked / "popretr.sqlite"
    scene.configure_both(journal=journal)
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    assert_refused(scene, journal)

    locked.chmod(0o700)
    assert scene.once(wrapper=needs.without_powers()).code == 0
    scene.assert_all()


def test_no_permission_for_the_journal(scene: Scene) -> None:
    """One that was made by root, say, in a trial run."""
    needs.need(needs.powerlessness)
    scene.configure_both()
    assert scene.once(wrapper=needs.without_powers()).code == 0
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    scene.journal.chmod(0o400)
    assert_refused(scene, scene.journal)

    scene.journal.chmod(0o600)
    assert scene.once(wrapper=needs.without_powers()).code == 0
    scene.assert_all()


def assert_refused(scene: Scene, journal: Path) -> None:
    done = scene.once(wrapper=needs.without_powers())
    assert done.code == 73, done.err
    assert f"the journal {journal} cannot be opened: permission denied\n" in done.err, done.err
    assert "tui-popretr: give the program's user the right to write there; until then nothing is" in done.err
    assert (scene.left(HIT), scene.left(OTHER)) == (5, 5)


def test_no_permission_for_the_log(scene: Scene, locked: Path) -> None:
    log = locked / "audit.log"
    scene.configure_both(audit=log)
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    done = scene.once(wrapper=needs.without_powers())
    assert done.code == 0, done.err
    assert f"ERROR {log}: the log cannot be written: permission denied" in done.err, done.err
    scene.assert_all()


# --- folders that go away -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", ["disk/deep/mail/tmp", "disk/deep/mail", "disk"])
def test_folders_go_away_in_mid_session(scene: Scene, gate: Gate, tmp_path: Path, gone: str) -> None:
    """They are created again, without their former contents. The message that was being written is retrieved again."""
    scene.maildirs[HIT] = tmp_path / "disk" / "deep" / "mail"
    scene.configure_both(address=gate.address)
    scene.send(HIT, [*mails(HIT, 3), *mails("large", 1, 2_000_000), *mails("last", 3)])
    scene.send(OTHER, mails(OTHER, 5))
    gate.shut(after=1_000_000)
    with scene.running("--once") as process:
        gate.reached()
        wait_for(lambda: scene.deleting(HIT) == 3 and scene.unfinished(HIT), "a message in part")
        (tmp_path / gone).rename(tmp_path / "aside")
        gate.open()
        done = process.finish()
    assert done.code == 73, done.err
    assert "hit: failed: 1 message could not be stored: cannot " in done.err, done.err
    assert re.search("(is gone|is not there) .is its disk mounted, and does something move it", done.err), done.err
    scene.assert_all(OTHER)
    assert scene.left(HIT) == 1
    aside = {"disk/deep/mail/tmp": [], "disk/deep/mail": ["new"], "disk": ["deep", "mail", "new"]}[gone]
    taken = list((tmp_path / "aside").joinpath(*aside).iterdir()) if aside else []
    assert len(taken) + scene.arrived(HIT).total() == 6

    scene.configure_both()
    assert scene.once().code == 0
    for path in taken:
        path.rename(scene.maildirs[HIT] / "new" / path.name)
    scene.assert_all()
