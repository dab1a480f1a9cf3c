"""Disks that fail or are slow during a session: strace makes the system calls fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.scene import HIT, OTHER, Scene, mails
from tests.faults.strace import Tampering
from tests.program import needs
from tests.program.namespace import Namespace, new_disk
from tests.program.relay import Gate
from tests.support.waiting import wait_for

BROKEN = "the disk reports an input/output error (look into the system's log: the disk may be failing)"
USED_UP = "the disk quota is used up (make room or raise the quota; it is tried again at the next run)"


@pytest.fixture(autouse=True)
def tampering() -> None:
    needs.need(needs.tampering)


# --- a message ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        ("fsync", "EIO", f"cannot make durable {{}}: {BROKEN}"),
        ("write", "EIO", f"cannot write {{}}: {BROKEN}"),
        ("write", "EDQUOT", f"cannot write {{}}: {USED_UP}"),
    ],
)
def test_a_message(scene: Scene, gate: Gate, tmp_path: Path, call: str, error: str, sentence: str) -> None:
    """It is not deleted from the server, and is retrieved again; the others of its session arrive at once."""
    scene.configure_both(address=gate.address, freq="1s")
    scene.send(HIT, [*mails(HIT, 3), *mails("large", 1, 2_000_000), *mails("last", 3)])
    gate.shut(after=1_000_000)
    with scene.running() as process:
        gate.reached()
        wait_for(lambda: scene.deleting(HIT) == 3 and scene.unfinished(HIT), "a message in part")
        (path,) = scene.unfinished(HIT)
        faults = Tampering(call, f"error={error}", (path,), tmp_path / "strace")
        with faults.of(process.pid):
            scene.send(OTHER, mails(OTHER, 5))
            gate.open()
            process.wait_for_all("other: 5 messages", "WARNING hit: message 4 (UID ")
            process.wait_for_all(f"hit: failed: 1 message could not be stored: {sentence.format(path)}; before that 6")
        # a second fsync might claim success for pages that are lost
        assert len(faults.changed()) == 1
        assert scene.heard(HIT, "DELE")[:6] == [f"DELE {number}" for number in (1, 2, 3, 5, 6, 7)]
        wait_for(lambda: scene.left(HIT) == 0, "the message's second coming")
        process.stop()
    assert scene.heard(HIT, "DELE")[6:] == ["DELE 1"]
    assert path.name not in {each.name for each in (scene.maildirs[HIT] / "new").iterdir()}
    scene.assert_all()


@pytest.mark.parametrize("sub", ["tmp", "new"])
def test_a_folder_that_cannot_be_made_durable(scene: Scene, tmp_path: Path, sub: str) -> None:
    scene.configure_both()
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    folder = scene.maildirs[HIT] / sub
    faults = Tampering("fsync", "error=EIO", (folder,), tmp_path / "strace")
    done = scene.once(wrapper=faults.wrapper)
    assert faults.changed()
    assert done.code == 74, done.err
    sentence = f"5 messages could not be stored: cannot make durable the folder {folder}: {BROKEN}"
    assert f"ERROR hit: failed: {sentence}" in done.err, done.err
    scene.assert_all(OTHER)
    scene.assert_kept(HIT)
    assert scene.heard(HIT, "DELE") == []
    assert scene.left(HIT) == 5
    # with tmp they have gone, with new they have come and the journal does not rely on it
    assert scene.unfinished(HIT) == []
    assert scene.arrived(HIT).total() == {"tmp": 0, "new": 5}[sub]

    done = scene.once()
    assert done.code == 0, done.err
    assert ("recovered: it was delivered already" in done.err) == (sub == "new")
    scene.assert_all()


# --- the journal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("calls", "error"), [("fdatasync,fsync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "EDQUOT")])
def test_the_journals_log(scene: Scene, tmp_path: Path, calls: str, error: str) -> None:
    """Nothing is deleted from any server, because nothing is known for sure."""
    scene.configure_both()
    assert scene.once().code == 0
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    faults = Tampering(calls, f"error={error}", (Path(f"{scene.journal}-wal"),), tmp_path / "strace")
    done = scene.once(wrapper=faults.wrapper)
    assert faults.changed()
    assert done.code == 74, done.err
    sentence = f"the journal {scene.journal} cannot be written: the disk reports an input/output error"
    advice = "look into the system's log: the disk may be failing, or its quota be used up; until then nothing is"
    for name in (HIT, OTHER):
        assert f"ERROR {name}: failed: {sentence} ({advice}" in done.err, done.err
        assert scene.heard(name, "DELE") == []
        assert scene.left(name) == 5
        scene.assert_kept(name)

    assert scene.once().code == 0
    scene.assert_all()


def test_the_journal_itself(scene: Scene, tmp_path: Path) -> None:
    """The contents of its log stay there if they cannot be moved into the journal's file."""
    scene.configure_both()
    assert scene.once().code == 0
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    faults = Tampering("pwrite64,fdatasync,fsync", "error=EIO", (scene.journal,), tmp_path / "strace")
    done = scene.once(wrapper=faults.wrapper)
    assert faults.changed()
    assert done.code == 0, done.err
    scene.assert_all()
    for name in (HIT, OTHER):
        scene.send(name, mails(f"{name}.more", 5))
    assert scene.once().code == 0
    scene.assert_all()


# --- disks that take their time -------------------------------------------------------------------------------------


def test_another_disk_is_slow(scene: Scene, gate: Gate, namespace: Namespace, tmp_path: Path) -> None:
    """An fsync that does not return: the other client has all its mail before it does."""
    disk = new_disk(namespace, tmp_path / "disk", "4m")
    scene.maildirs[HIT] = disk.seen / "mail"
    scene.configure_both(maildir=disk.path / "mail", address=gate.address, freq="1s")
    scene.send(HIT, mails(HIT, 1, 2_000_000))
    gate.shut(after=1_000_000)
    with scene.running(wrapper=namespace.wrapper) as process:
        gate.reached()
        wait_for(lambda: scene.unfinished(HIT), "a message in part")
        path = disk.path / "mail" / "tmp" / scene.unfinished(HIT)[0].name
        faults = Tampering("fsync", "delay_enter=600s", (path,), tmp_path / "strace")
        with faults.of(process.pid, wrapper=namespace.wrapper):
            gate.open()
            wait_for(lambda: str(path) in faults.log.read_text(), "the fsync that takes so long")
            scene.send(OTHER, mails(OTHER, 5))
            process.wait_for_all("other: 5 messages")
            scene.assert_all(OTHER)
            assert "hit: " not in process.said.replace("hit: warning", ""), process.said
        process.wait_for_all("hit: 1 message")
        process.stop()
    scene.assert_all()


def test_the_disk_of_all_is_slow(scene: Scene, tmp_path: Path) -> None:
    scene.configure_both()
    assert scene.once().code == 0
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    folders = tuple(scene.maildirs[HIT] / sub for sub in ("tmp", "new"))
    faults = Tampering("fsync", "delay_enter=500ms", folders, tmp_path / "strace")
    done = scene.once(wrapper=faults.wrapper)
    assert done.code == 0, done.err
    assert len(faults.changed()) >= 2
    scene.assert_all()
