"""How long the mail server may take, and what the configured timeout does to it."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.smtp.receiver import Hang, receiving
from tests.delivery.smtp.sending import sending
from tui_popretr.delivery.smtp.deadlines import DEADLINES, Deadlines
from tui_popretr.errors import SmtpTemporaryFailure


def test_defaults() -> None:
    with receiving() as receiver, sending(receiver.destination()) as sender:
        assert sender.sink._deadlines == DEADLINES
    assert asdict(DEADLINES).pop("end") == 600
    assert all(each <= 120 for name, each in asdict(DEADLINES).items() if name != "end")


@given(st.floats(0.001, 1e6))
def test_the_end_has_the_timeout_and_nothing_else_exceeds_it(timeout: float) -> None:
    deadlines = asdict(Deadlines.within(timeout))
    assert deadlines.pop("end") == timeout
    assert deadlines == {name: min(value, timeout) for name, value in asdict(DEADLINES).items() if name != "end"}


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL", "RCPT a@receiver.test", "DATA", "DOT"])
def test_the_configured_timeout_counts_at_each_step(step: str) -> None:
    with receiving(pipelining=False) as receiver:
        destination = replace(receiver.destination(), timeout=0.2)
        receiver.on(step, Hang())
        with sending(destination) as sender, pytest.raises(SmtpTemporaryFailure, match="did not answer in time"):
            sender.send()
