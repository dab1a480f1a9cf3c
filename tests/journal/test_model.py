"""Never lost, never twice: journal, recovery, plan and destinations under all that may happen, against a model.

`make nightly` looks longer.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.journal.model_choices import Letter, Run
from tests.journal.model_disk import Happening, Moment, Step
from tests.journal.model_errand import Errand
from tests.journal.model_machine import NOT_AT_RANDOM, MailMachine
from tests.journal.model_server import Naming
from tests.support.size import NIGHTLY
from tui_popretr.session.plan import Policy

# For a change always the same ones: what is found by chance is for the nights. What has failed is made small first,
# which takes Hypothesis five minutes at most.
TestMailMachine = pytest.mark.timeout(3600 if NIGHTLY else 600)(MailMachine.TestCase)
TestMailMachine.settings = settings(
    max_examples=5000 if NIGHTLY else 240,
    derandomize=not NIGHTLY,
    stateful_step_count=15,
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
def test_folders_that_were_made_and_not_made_durable(
    machine: MailMachine, account: int, happening: Happening, nth: int
) -> None:
    """They are there in the next session, and would be gone after a power cut with all that was put into them."""
    errand = Errand(account, Policy())
    machine.run(Run(0, [], [errand], 1, []), [], NOT_AT_RANDOM)
    machine.mail_arrives(Letter(account, "new", Naming.NEXT, None))
    machine.run(Run(0, [], [errand], 1, [Moment(Step.SYNC_FOLDER, nth, happening)]), [], NOT_AT_RANDOM)
    machine.run(Run(0, [], [errand], 1, []), [], NOT_AT_RANDOM)
    assert machine.accounts[account].drop.mails == []
    machine.program_ends(Happening.POWER_CUT, Worst())
    machine.nothing_is_lost_and_nothing_is_twice()
