"""A destination that hangs delays only its own clients: every wait has a timeout."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio
from trio.testing import trio_test

from tui_popretr.commit.blocking import BlockingWorker, BlockingWorkers
from tui_popretr.errors import DeliveryFailed, DestinationTimeout, ExitCode

SOON = 0.05


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What hangs goes on at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


@trio_test
async def test_results_and_errors_of_the_call_are_passed_on() -> None:
    disk = BlockingWorker("folder:/mail", 2, 60.0)
    assert await disk.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await disk.run(divmod, 7, 0)


@trio_test
async def test_a_call_that_does_not_answer_is_left_behind(release: threading.Event) -> None:
    disk = BlockingWorker("folder:/mail", 1, SOON)
    with pytest.raises(DestinationTimeout, match=r"folder:/mail has not answered for 0\.05 s") as caught:
        await disk.run(release.wait, 60)
    assert isinstance(caught.value, DeliveryFailed)
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert "stay on the server" in caught.value.advice


@trio_test
async def test_a_call_left_behind_keeps_its_thread_until_it_ends(release: threading.Event) -> None:
    """Or each session would leave one more thread behind."""
    disk = BlockingWorker("folder:/mail", 1, SOON)
    ran: list[str] = []

    def hang() -> None:
        ran.append("call")
        release.wait(60)

    for _ in range(3):
        with pytest.raises(DestinationTimeout):
            await disk.run(hang)
    assert ran == ["call"]
    release.set()
    with trio.fail_after(60):
        while True:
            try:
                await disk.run(ran.append, "later")
            except DestinationTimeout:
                continue
            break
    assert ran == ["call", "later"]


@trio_test
async def test_each_destination_has_a_thread_of_its_own(release: threading.Event) -> None:
    disks = BlockingWorkers(SOON)
    hanging, well = disks.of("folder:/gone", "folder:/gone"), disks.of("folder:/here", "folder:/here")
    assert disks.of("folder:/gone", "folder:/gone") is hanging
    with pytest.raises(DestinationTimeout):
        await hanging.run(release.wait, 60)
    assert await well.run(divmod, 7, 2) == (3, 1)


@trio_test
async def test_cleanup_runs_when_a_timed_out_call_ends(release: threading.Event) -> None:
    disk = BlockingWorker("folder:/mail", 1, SOON)
    done: list[str] = []

    def hang() -> None:
        release.wait(60)
        done.append("call")

    with pytest.raises(DestinationTimeout):
        await disk.run(hang, cleanup=lambda: done.append("cleanup"))
    with pytest.raises(DestinationTimeout):  # there is no thread for it
        await disk.run(done.append, "never", cleanup=lambda: done.append("instead"))
    assert done == []
    release.set()
    with trio.fail_after(60):
        while len(done) < 3:
            await trio.to_thread.run_sync(lambda: None)
    assert done == ["call", "cleanup", "instead"]


@trio_test
async def test_of_what_is_done_some_day_nobody_hears() -> None:
    disk = BlockingWorker("folder:/mail", 1, 60.0)
    disk.run_in_background(lambda: 1 // 0)
    assert await disk.run(divmod, 7, 2) == (3, 1)
