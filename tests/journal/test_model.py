"""Never lost, never twice: journal, recovery, plan and destinations under all that may happen, against a model.

`make nightly` looks longer.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import trio._core._run
from hypothesis import HealthCheck, register_random, settings

from tests.journal.model_choices import Errand, Letter, Round
from tests.journal.model_disk import Happening, Moment, Step
from tests.journal.model_machine import MailMachine
from tests.journal.model_server import Naming
from tests.support.size import NIGHTLY
from tui_popretr.config.model import Retention

# Without chance, so that a change fails or passes each time. Hypothesis shrinks a failure for five minutes at most.
register_random(trio._core._run._r)  # trio's scheduler
TestMailMachine = pytest.mark.timeout(3600 if NIGHTLY else 600)(MailMachine.TestCase)
TestMailMachine.settings = settings(
    max_examples=5000 if NIGHTLY else 120,
    derandomize=not NIGHTLY,
    stateful_step_count=10,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Worst(random.Random):
    """What is not durable is gone."""

    def random(self) -> float:
        return 0.0


@pytest.fixture
def machine() -> Iterator[MailMachine]:
    machine = MailMachine()
    yield machine
    machine.teardown()


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("account", [0, 1])
@pytest.mark.parametrize("happening", [Happening.FAIL, Happening.KILL])
def test_new_folders_are_synced_by_the_next_session(
    machine: MailMachine, account: int, happening: Happening, nth: int
) -> None:
    """They are there in the next session, and would be gone after a power cut with all that was put into them."""
    letter, errand = Letter(account, "new", Naming.NEXT, None), Errand(account, Retention())
    happens = Round(0, [letter], [errand], 0.0, [Moment(Step.SYNC_FOLDER, nth, happening)])
    machine.run([Round(0, [], [errand], 0.0, []), happens, Round(0, [], [errand], 0.0, [])])
    machine.run([Round(0, [], [errand], 0.0, [])], Happening.POWER_CUT, Worst())
    assert machine.accounts[account].drop.mails == []
    machine.nothing_is_lost_and_nothing_is_twice()


@pytest.mark.parametrize("nth", range(1, 6))
def test_a_kill_while_a_refused_message_is_withdrawn(machine: MailMachine, nth: int) -> None:
    """The record goes before the file; otherwise recovery assumes that a mail reader took the message."""
    letter, errand = Letter(0, "new", Naming.NEXT, None), Errand(0, Retention())
    happens = [Moment(Step.NAME, 1, Happening.FAIL), Moment(Step.COMMIT, nth, Happening.KILL)]
    machine.run([Round(0, [letter], [errand], 0.0, happens)])
    machine.run([Round(0, [], [errand], 0.0, [])])
    assert machine.accounts[0].drop.mails == []
