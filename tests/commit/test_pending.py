"""A message on its way to being durable."""

from __future__ import annotations

import gc
import weakref
from typing import cast

from tui_popretr.commit.pending import Parcel
from tui_popretr.delivery.sink import Draft
from tui_popretr.errors import PopretrError
from tui_popretr.journal.records import NewRecord
from tui_popretr.mail.identity import Identity


class Owner:
    """Makes a parcel and knows it from within what it is to be told, as a retrieval does."""

    def __init__(self) -> None:
        self.told: list[PopretrError | None] = []

    def make(self) -> Parcel:
        def done(problem: PopretrError | None) -> None:
            assert parcel.record.id == 1
            self.told.append(problem)

        record = NewRecord(1, 1, "u1", 9, Identity(b"d"), True, None, None, None, 0)
        parcel = Parcel(cast("Draft", Draft), record, done)
        return parcel


def test_its_end_is_told_once() -> None:
    owner = Owner()
    parcel = owner.make()
    parcel.finish(None)
    parcel.finish(PopretrError("too late"))
    assert owner.told == [None]


def test_what_is_finished_does_not_wait_for_the_garbage_collection() -> None:
    gc.disable()
    try:
        owner = Owner()
        parcel = owner.make()
        done = weakref.ref(parcel.done)
        parcel.finish(None)
        del parcel
        assert done() is None
    finally:
        gc.enable()
