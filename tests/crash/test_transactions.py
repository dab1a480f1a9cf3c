"""Killed between the transactions that one message needs: each recipient gets it, at most one message comes twice."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.delivery.smtp.receiver import Limits, receiving
from tests.delivery.smtp.test_sessions import retrieving
from tests.program.site import without_received
from tests.program.steps import Orders
from tests.support.waiting import wait_for
from tui_popretr.faultpoints import Step

#: Three messages for three recipients; the server accepts one recipient at a time.
MESSAGES = MEMBERS = 3
STEPS = (Step.ENVELOPE_ACCEPTED, Step.DATA_SENT, Step.DOT_SENT, Step.DOT_ANSWERED)


@pytest.mark.parametrize("nth", [2, 3, 5])
@pytest.mark.parametrize("step", STEPS)
def test_killed_in_a_later_transaction(step: Step, nth: int, tmp_path: Path) -> None:
    with receiving() as receiver, retrieving(tmp_path, receiver, MESSAGES) as (site, box):
        receiver.limits = Limits(recipients=1)
        killed = site.once(steps=Orders(step.name, nth))
        assert killed.code == -signal.SIGKILL, killed.err
        wait_for(lambda: not box.locked, "the end of the session")
        assert site.run().results["id1"].ok
        assert box.messages == []
        arrived = Counter((mail.recipients, without_received(mail.content)) for mail in receiver.mails)
    assert len(arrived) == MESSAGES * MEMBERS
    twice = [message for (_, message), times in arrived.items() if times > 1]
    assert max(arrived.values()) <= 2
    assert len(set(twice)) <= 1
