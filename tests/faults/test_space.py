"""No room: on the disk of the messages, of the journal, of the logs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.faults.scene import HIT, OTHER, Scene, mails
from tests.program.namespace import Namespace, new_disk

MAKE_ROOM = "make room on the disk"


def test_the_destination_becomes_full(scene: Scene, namespace: Namespace, tmp_path: Path) -> None:
    disk = new_disk(namespace, tmp_path / "disk", "1m")
    scene.maildirs[HIT] = disk.seen / "mail"
    scene.configure_both(maildir=disk.path / "mail")
    scene.send(HIT, mails(HIT, 10, 200_000))
    scene.send(OTHER, mails(OTHER, 5))
    done = scene.once(wrapper=namespace.wrapper)
    assert done.code == 74, done.err
    # how many fit depends on how many are being written at a time
    stored, left = scene.arrived(HIT).total(), scene.left(HIT)
    assert stored > 0
    assert stored + left == 10
    assert f"hit: failed: {left} messages could not be stored: cannot write " in done.err, done.err
    advice = f"({MAKE_ROOM}; it is tried again at the next run)"
    assert f": the disk is full {advice}; before that {stored} message" in done.err, done.err
    scene.assert_all(OTHER)
    scene.assert_kept(HIT)
    assert scene.unfinished(HIT) == []
    assert len(scene.heard(HIT, "DELE")) == stored

    disk.remount("size=16m")
    assert scene.once(wrapper=namespace.wrapper).code == 0
    scene.assert_all()


def test_the_destination_is_full(scene: Scene, namespace: Namespace, tmp_path: Path) -> None:
    """No message is retrieved that cannot be stored."""
    disk = new_disk(namespace, tmp_path / "disk", "1m")
    scene.maildirs[HIT] = disk.seen / "mail"
    scene.configure_both(maildir=disk.path / "mail")
    disk.fill()
    scene.send(HIT, mails(HIT, 5))
    scene.send(OTHER, mails(OTHER, 5))
    done = scene.once(wrapper=namespace.wrapper)
    assert done.code == 74, done.err
    assert f"hit: failed: cannot store mail in {disk.path}/mail: the disk is full ({MAKE_ROOM}" in done.err, done.err
    scene.assert_all(OTHER)
    assert scene.heard(HIT, "RETR") == []

    disk.relieve()
    assert scene.once(wrapper=namespace.wrapper).code == 0
    scene.assert_all()


def test_the_journals_disk_becomes_full(scene: Scene, namespace: Namespace, tmp_path: Path) -> None:
    """Only messages with a record are deleted, and none of them arrives again."""
    disk = new_disk(namespace, tmp_path / "disk", "1m")
    journal = disk.path / "popretr.sqlite"
    scene.configure_both(journal=journal)
    assert scene.once(wrapper=namespace.wrapper).code == 0
    disk.fill(leave=100_000)
    for round_ in range(3):
        scene.send(HIT, mails(f"{HIT}.{round_}", 40))
        scene.send(OTHER, mails(f"{OTHER}.{round_}", 40))
    done = scene.once(wrapper=namespace.wrapper)
    assert done.code == 74, done.err
    assert f"the journal {journal} cannot be written: the disk is full" in done.err, done.err
    assert f"({MAKE_ROOM}; it is tried again at the next run; until then nothing is retrieved" in done.err
    for name in (HIT, OTHER):
        scene.assert_kept(name)

    disk.relieve()
    assert scene.once(wrapper=namespace.wrapper).code == 0
    scene.assert_all()


def test_the_journals_disk_is_full(scene: Scene, namespace: Namespace, tmp_path: Path) -> None:
    disk = new_disk(namespace, tmp_path / "disk", "1m")
    journal = disk.path / "popretr.sqlite"
    scene.configure_both(journal=journal)
    disk.fill()
    scene.send(HIT, mails(HIT, 5))
    scene.send(OTHER, mails(OTHER, 5))
    for before in ("never opened", "opened before"):
        done = scene.once(wrapper=namespace.wrapper)
        assert done.code == 74, done.err
        assert f"the journal {journal} cannot be opened: the disk is full\n" in done.err, (before, done.err)
        assert f"tui-popretr: {MAKE_ROOM}" in done.err
        assert (scene.left(HIT), scene.left(OTHER)) == (5, 5)
        disk.relieve()
        assert scene.once(wrapper=namespace.wrapper).code == 0
        scene.assert_all()
        disk.fill()
        for name in (HIT, OTHER):
            scene.send(name, mails(f"{name}.{before[0]}", 5))
    disk.relieve()
    assert scene.once(wrapper=namespace.wrapper).code == 0
    scene.assert_all()


def test_the_logs_disk_is_full(scene: Scene, namespace: Namespace, tmp_path: Path) -> None:
    """Mail is still retrieved; the lines are written when there is room again."""
    disk = new_disk(namespace, tmp_path / "disk", "64k")
    log = disk.path / "audit.log"
    scene.audit_log = disk.seen / "audit.log"
    scene.configure_both(audit=log, freq="1h")
    disk.fill()
    scene.send(HIT, mails(HIT, 5))
    scene.send(OTHER, mails(OTHER, 5))
    with scene.running(wrapper=namespace.wrapper) as process:
        process.wait_for_all("hit: 5 messages", "other: 5 messages")
        scene.assert_all()
        process.wait_for_all(f"ERROR {log}: the log cannot be written: the disk is full")
        assert scene.audited() == {}
        disk.relieve()
        process.wait_for_all(f"{log}: the log can be written again")
        process.stop()
    assert scene.audited() == Counter({f"{name}.{number}": 1 for name in (HIT, OTHER) for number in range(5)})
