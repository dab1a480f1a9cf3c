"""Sinks and messages for tests of delivery to mail servers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.making import WHEN, prepare
from tests.support.waiting import PATIENCE
from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.smtp.draft import SmtpDraft
from tui_popretr.delivery.smtp.sink import SmtpSink
from tui_popretr.errors import DeliveryFailed, PopretrError
from tui_popretr.facts import Direction

MESSAGE = b"Received: from pop.test\r\nSubject: x\r\n\r\n.text\r\n"


@dataclass
class Sender:
    """A sink, and what it has said."""

    sink: SmtpSink
    said: list[str] = field(default_factory=list)

    def draft(self, message: bytes = MESSAGE, *, exclude_recipients: tuple[str, ...] = ()) -> SmtpDraft:
        """A draft that is ready to be published."""
        draft = self.sink.open(7, WHEN)
        draft.write(message)
        prepare(draft)
        draft.exclude_recipients(exclude_recipients)
        return draft

    def send(self, message: bytes = MESSAGE, **how: Any) -> SmtpDraft:
        """Deliver a message, as the committer does it."""
        draft = self.draft(message, **how)
        try:
            draft.publish()
        except PopretrError:
            draft.abort()
            raise
        return draft


@contextmanager
def sending(destination: SmtpDestination, spool: Path | None = None, **means: Any) -> Iterator[Sender]:
    """Make a sink, and close it in the end."""
    said: list[str] = []

    def say(direction: Direction, text: str) -> None:
        said.append(f"{direction.value} {text}")

    recip = means.pop("recip", destination.recipients[0])
    sink = SmtpSink(destination, recip=recip, spool=str(spool or "/nonexistent"), said=say, **means)
    try:
        yield Sender(sink, said)
    finally:
        sink.close()


def failure(
    kind: type[DeliveryFailed],
    match: str,
    destination: SmtpDestination,
    message: bytes | None = MESSAGE,
    said: list[str] | None = None,
    **means: Any,
) -> DeliveryFailed:
    """Return the error with which a delivery fails, or for no message the making ready. `said` gets what was said."""
    with sending(destination, **means) as sender, pytest.raises(kind, match=match) as caught:
        if message is None:
            sender.sink.make_ready(0)
        else:
            sender.send(message)
    assert type(caught.value) is kind
    if said is not None:
        said += sender.said
    return caught.value


@contextmanager
def in_a_thread(call: Callable[[], object]) -> Iterator[list[BaseException | None]]:
    """Make a call in a thread, which has ended when the block has; then the list holds what was raised, or None."""
    ends: list[BaseException | None] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - for the test to look at
            ends.append(error)
        else:
            ends.append(None)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ends
    finally:
        thread.join(PATIENCE)
        if thread.is_alive():
            pytest.fail("the call does not end")
