"""Killed while it imports into Gmail, at each step and at random moments: no message is lost or duplicated."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.crash.cases import Server
from tests.crash.mails import mails
from tests.program.account import EmbeddedAccount, embedded_account
from tests.program.site import Site, client, without_received
from tests.program.steps import ANY, Orders
from tests.support.gmail import ACCOUNT, NO_PROVIDER, Answer, FakeGmail, Fault, leave_token
from tests.support.gmail_serving import running_gmail
from tests.support.size import NIGHTLY
from tui_popretr.errors import ExitCode
from tui_popretr.faultpoints import Step
from tui_popretr.journal.records import MessageState

COUNT: Final = 6
KILLS: Final = 300 if NIGHTLY else 10
_NEVER: Final = Orders(ANY, 0)
#: The steps between the reception of a message and its deletion, each with the arrivals at it that are tested.
_OF_DELIVERY: Final = (
    (Step.IN_TRANSACTION, 3),
    (Step.DELIVERING, 1),
    (Step.IMPORT_SENT, 1),
    (Step.IMPORT_SENT, COUNT),
    (Step.IMPORT_ANSWERED, 1),
    (Step.IMPORT_ANSWERED, COUNT),
    (Step.AUDITED, 1),
    (Step.DELIVERED, 1),
)
_OTHERS: Final = (
    (Step.RECEIVED, 2),
    (Step.SPILLED, 1),
    (Step.IN_TRANSACTION, 5),
    (Step.DELIVERING, COUNT),
    (Step.IMPORT_SENT, 3),
    (Step.DELE_SENT, 1),
    (Step.DELE_ANSWERED, 1),
    (Step.QUIT_SENT, 1),
    (Step.QUIT_ANSWERED, 1),
    (Step.DELETED, 1),
)
STEPS: Final = _OF_DELIVERY + _OTHERS * NIGHTLY
#: Each with whether Gmail has the message.
_IN_RECOVERY: Final = (
    (Step.RECOVERY_LOOKED, True),
    (Step.RECOVERY_LOOKED, False),
    (Step.RECOVERY_AUDITED, True),
    (Step.IN_TRANSACTION, True),
    (Step.IN_TRANSACTION, False),
    (Step.RECOVERED, True),
    (Step.RECOVERED, False),
)


class Scene:
    """A site that retrieves into Gmail."""

    def __init__(self, top: Path, gmail: FakeGmail, url: str, account: EmbeddedAccount) -> None:
        self.gmail = gmail
        self.account = account
        self.site = Site(top)
        self.sent: list[bytes] = []
        inside = f"<gmail><account>{ACCOUNT}</account>{NO_PROVIDER}<labels>Crash</labels><url>{url}</url></gmail>"
        address = f"{account.host}:{account.port}"
        self.site.configure(client("me", address, user=account.name, inside=inside), transcript=False)
        leave_token(str(self.site.path))

    def add(self, count: int) -> None:
        arrived = mails(count, first=len(self.sent))
        self.account.add(arrived)
        self.sent += arrived

    def run(self, orders: Orders = _NEVER) -> bool:
        """Run it under orders; return whether it was killed. No message may have come twice."""
        done = self.site.once(steps=orders)
        assert done.code in (0, -signal.SIGKILL), done.err
        self.account.wait_until_free()
        assert not Counter(map(without_received, self.gmail.raw)) - Counter(self.sent)
        return done.code != 0

    def finish(self) -> None:
        """Run it undisturbed, and count."""
        self.run()
        assert Counter(map(without_received, self.gmail.raw)) == Counter(self.sent)
        assert self.account.remaining() == 0
        assert MessageState.DELIVERING not in {record.state for record in self.site.records()}
        audit = "\n".join(self.site.audit())
        for message in self.gmail.messages:
            assert f"; Gmail={message.id}" in audit
        assert all(each.labels[-1] == self.gmail.labels["Crash"] for each in self.gmail.messages)


@contextmanager
def staged(top: Path) -> Iterator[Scene]:
    gmail = FakeGmail()
    with embedded_account(Server.PIPELINING) as account, running_gmail(gmail) as url:
        yield Scene(top, gmail, url, account)


@pytest.mark.parametrize(("step", "nth"), STEPS, ids=[f"{step.name}-{nth}" for step, nth in STEPS])
def test_killed_at_a_step(step: Step, nth: int, tmp_path: Path) -> None:
    with staged(tmp_path) as scene:
        scene.add(COUNT)
        assert scene.run(Orders(step.name, nth)), "never reached"
        scene.finish()


@pytest.mark.parametrize(("step", "arrived"), _IN_RECOVERY)
def test_killed_in_recovery(step: Step, arrived: bool, tmp_path: Path) -> None:
    with staged(tmp_path) as scene:
        scene.add(COUNT)
        assert scene.run(Orders((Step.IMPORT_ANSWERED if arrived else Step.DELIVERING).name, 1))
        assert scene.run(Orders(step.name, 1)), "never reached"
        scene.finish()


def test_killed_while_withdrawing(tmp_path: Path) -> None:
    with staged(tmp_path) as scene:
        scene.add(COUNT)
        scene.gmail.fail(Fault(Answer.error(400, "invalidArgument")))
        assert scene.run(Orders(Step.WITHDRAWN.name, 1)), "never reached"
        scene.finish()


@pytest.mark.parametrize("arrived", [True, False])
def test_an_import_that_is_cut(arrived: bool, tmp_path: Path) -> None:
    """The message in doubt stays; nothing more is imported in this session."""
    with staged(tmp_path) as scene:
        scene.add(COUNT)
        scene.gmail.fail(Fault(works=arrived))
        done = scene.site.once(steps=_NEVER)
        assert done.code == ExitCode.TEMPORARY, done.err
        assert len(scene.gmail.messages) == arrived
        assert scene.account.remaining() == COUNT
        scene.finish()
        recovered = [line for line in scene.site.audit() if line.endswith("(recovered)")]
        assert len(recovered) == arrived


def test_killed_at_chance_moments(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    chance = random.Random("Gmail")
    with staged(tmp_path) as scene:
        kills = 0
        while kills < KILLS:
            if scene.account.remaining() < COUNT:
                scene.add(3 * COUNT)
            step, most = chance.choice([(ANY, 60), (Step.IMPORT_SENT.name, COUNT), (Step.DELIVERING.name, COUNT)])
            shake = chance.randrange(1000) if chance.random() < 0.3 else None
            kills += scene.run(Orders(step, chance.randrange(1, most), shake))
        scene.finish()
        record_property("kills", kills)
        record_property("messages", len(scene.sent))
