"""Wall clocks that are set back and forward by days: no session is early or late, and no mail lost or repeated."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.scene import HIT, OTHER, Scene, mails
from tests.faults.strace import Tampering
from tests.program import needs
from tests.program.relay import Gate
from tests.support.waiting import wait_for


class Wall:
    """The wall clock of processes; what they measure with (CLOCK_MONOTONIC, CLOCK_BOOTTIME) stays as it is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set("+0")

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process that sees this clock."""
        return {
            "LD_PRELOAD": needs.faketime(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        """Set it, also for processes that run: `-3d` is three days ago."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset}\n")
        new.rename(self._file)


@pytest.fixture
def wall(tmp_path: Path) -> Wall:
    needs.need(needs.another_clock)
    return Wall(tmp_path / "clock")


def test_while_the_program_runs(scene: Scene, wall: Wall) -> None:
    """A client due in an hour does not run when the clock jumps; a client due in a second runs in a second."""
    scene.configure_both(freq="1s", freq_of_hit="1h")
    scene.send(HIT, mails(HIT, 3))
    with scene.running(environ=wall.environ) as process:
        process.wait_for_all("hit: 3 messages", "other: no new messages")
        for number, offset in enumerate(("+3d", "-3d", "+0"), 1):
            wall.set(offset)
            scene.send(OTHER, mails(f"other{offset}", 3))
            process.wait_for_all("other: 3 messages", count=number)
        process.wait_for_all("other: no new messages", count=process.said.count("other: no new messages") + 1)
        assert process.said.count(" INFO hit: ") == 1, process.said
        days = {line[:10] for line in process.said.splitlines() if "other: 3 messages" in line}
        assert len(days) == 3, "the clock has not been set"
        process.stop()
    scene.assert_all()


@pytest.mark.parametrize("preserve", ["N", "Y"])
def test_between_runs(scene: Scene, gate: Gate, wall: Wall, preserve: str) -> None:
    """The program is killed in mid-session; the journal's records hold at any time."""
    scene.configure_both(address=gate.address, preserve=preserve, newonly=preserve)
    scene.send(HIT, [*mails(HIT, 3), *mails("large", 1, 2_000_000), *mails("last", 3)])
    gate.shut(after=1_000_000)
    with scene.running(environ=wall.environ) as process:
        gate.reached()
        wait_for(lambda: len(scene.audited()) == 3, "what has come so far")
        process.send(signal.SIGKILL)
        process.finish()
    gate.cut()
    for offset in ("-10d", "+10d", "+0"):
        wall.set(offset)
        scene.send(HIT, mails(f"hit{offset}", 3))
        scene.send(OTHER, mails(f"other{offset}", 3))
        done = scene.once(environ=wall.environ)
        assert done.code == 0, done.err
        scene.assert_all(OTHER)
        scene.assert_all_arrived(HIT)
        assert scene.left(HIT) == (scene.arrived(HIT).total() if preserve == "Y" else 0)


@pytest.mark.parametrize("offset", ["-10d", "+10d"])
def test_before_an_interrupted_delivery_is_recovered(scene: Scene, wall: Wall, tmp_path: Path, offset: str) -> None:
    needs.need(needs.tampering)
    scene.configure_both()
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    faults = Tampering("fsync", "error=EIO", (scene.maildirs[HIT] / "new",), tmp_path / "strace")
    assert scene.once(wrapper=faults.wrapper).code == 74
    wall.set(offset)
    done = scene.once(environ=wall.environ)
    assert done.code == 0, done.err
    assert done.err.count("recovered: it was delivered already") == 5
    scene.assert_all()
