"""A message on its way to being durable."""

from __future__ import annotations

import gc
import weakref
from typing import cast

import trio
from trio.testing import trio_test

from tui_popretr.commit.queue import PendingDelivery
from tui_popretr.delivery.filedraft import FileDraft
from tui_popretr.errors import PopretrError
from tui_popretr.journal.records import NewRecord
from tui_popretr.mail.identity import Identity

RECORD = NewRecord(1, 1, "u1", 9, Identity(b"d"), True, None, None, None, 0)


class Anything:
    """A draft whose life can be watched."""


@trio_test
async def test_outcomes_are_received_in_order() -> None:
    send, receive = trio.open_memory_channel[PendingDelivery](2)
    first, second = (PendingDelivery(cast("FileDraft", Anything()), RECORD, send) for _ in range(2))
    problem = PopretrError("the disk is full")
    second.finish(problem)
    first.finish(None)
    assert [await receive.receive(), await receive.receive()] == [second, first]
    assert (first.error, second.error) == (None, problem)


@trio_test
async def test_a_finished_delivery_is_freed_at_once() -> None:
    gc.disable()
    try:
        send, receive = trio.open_memory_channel[PendingDelivery](1)
        draft = Anything()
        freed = weakref.ref(draft)
        PendingDelivery(cast("FileDraft", draft), RECORD, send).finish(None)
        del draft
        assert (await receive.receive()).error is None
        assert freed() is None
    finally:
        gc.enable()
