"""A draft without I/O, for the commit pipeline."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import trio

from tui_popretr.commit.queue import PendingDelivery
from tui_popretr.delivery.filedraft import FileDraft


def outcomes(end: Callable[[PendingDelivery], object]) -> trio.MemorySendChannel[PendingDelivery]:
    """A channel that calls `end` with what is sent."""
    return cast("trio.MemorySendChannel[PendingDelivery]", SimpleNamespace(send_nowait=end))


class FakeDraft(FileDraft):
    """Calls `step` with the name of each step and the record's id; `step` may raise. Retrieval's calls are errors."""

    def __init__(
        self,
        record_id: int,
        step: Callable[[str, int], object],
        *,
        folder: str = "",
        buffered: int = 10,
    ) -> None:
        """`folder` is below /mail."""
        self.record_id = record_id
        self.tmp = f"/mail{folder}/tmp/{record_id}"
        self.final = f"/mail{folder}/new/{record_id}"
        self.folder = f"/mail{folder}/new"
        self.pending = buffered
        self.description = "Mailbox=user1"
        self._step = step
        self._above = folder

    def write(self, data: bytes) -> None:
        raise AssertionError("the pipeline writes no octets")

    def spill(self) -> None:
        raise AssertionError("flush() does that")

    def flush(self) -> None:
        self._step("write", self.record_id)

    def fsync(self) -> None:
        self._step("sync", self.record_id)

    def folders_before(self) -> tuple[str, ...]:
        return (f"/mail{self._above}/tmp", f"/mail{self._above}")

    def publish(self) -> None:
        self._step("publish", self.record_id)

    def abort(self) -> None:
        self._step("abort", self.record_id)
