"""Standard error without a reader: the program still does its work."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.faults.scene import HIT, OTHER, Scene, mails
from tests.support.waiting import wait_for


class FullPipe:
    """A pipe that takes nothing more."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self.writing, False)
        try:
            while True:
                os.write(self.writing, b"\n" * 4096)
        except BlockingIOError:
            os.set_blocking(self.writing, True)

    def read(self) -> str:
        """Close our writing end and read until no process has it open."""
        self.close_writing()
        with os.fdopen(self._reading, encoding="utf-8") as file:
            self._reading = -1
            return file.read()

    def close_writing(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def close(self) -> None:
        self.close_writing()
        if self._reading >= 0:
            os.close(self._reading)


@pytest.fixture
def pipe() -> Iterator[FullPipe]:
    made = FullPipe()
    yield made
    made.close()


def test_once(scene: Scene, pipe: FullPipe) -> None:
    scene.configure_both()
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    with scene.running("--once", stderr=pipe.writing) as process:
        assert process.finish().code == 0
    scene.assert_all()


def test_a_daemon(scene: Scene, pipe: FullPipe) -> None:
    """It also ends on SIGTERM; a later reader finds its output."""
    scene.configure_both(freq="1h")
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    with scene.running(stderr=pipe.writing) as process:
        wait_for(lambda: scene.left(HIT) == scene.left(OTHER) == 0, "the mail")
        process.send(signal.SIGTERM)
        assert process.ended() == 0
    scene.assert_all()


def test_a_reader_who_comes_late(scene: Scene, pipe: FullPipe) -> None:
    scene.configure_both(freq="1h")
    scene.send(HIT, mails(HIT, 5))
    with scene.running(stderr=pipe.writing) as process:
        wait_for(lambda: scene.left(HIT) == 0, "the mail")
        process.send(signal.SIGTERM)
        said = pipe.read()
        assert process.ended() == 0
    assert "INFO hit: 5 messages" in said
    assert said.endswith("INFO ended\n")
