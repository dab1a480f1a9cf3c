"""A message on its way to being durable."""

from __future__ import annotations

import gc
import weakref
from typing import cast

from tui_popretr.commit.pending import PendingDelivery
from tui_popretr.delivery.sink import Draft
from tui_popretr.errors import PopretrError
from tui_popretr.journal.records import NewRecord
from tui_popretr.mail.identity import Identity


class Owner:
    """Makes a pending delivery and refers to it from its callback, as a retrieval does."""

    def __init__(self) -> None:
        self.callback: list[PopretrError | None] = []

    def run(self) -> PendingDelivery:
        def done(problem: PopretrError | None) -> None:
            assert delivery.record.id == 1
            self.callback.append(problem)

        record = NewRecord(1, 1, "u1", 9, Identity(b"d"), True, None, None, None, 0)
        delivery = PendingDelivery(cast("Draft", Draft), record, done)
        return delivery


def test_its_end_is_told_once() -> None:
    owner = Owner()
    delivery = owner.run()
    delivery.finish(None)
    delivery.finish(PopretrError("too late"))
    assert owner.callback == [None]


def test_a_finished_delivery_is_freed_at_once() -> None:
    gc.disable()
    try:
        owner = Owner()
        delivery = owner.run()
        done = weakref.ref(delivery.done)
        delivery.finish(None)
        del delivery
        assert done() is None
    finally:
        gc.enable()
