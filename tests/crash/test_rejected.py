"""Killed at every labelled step while messages are saved that the mail server refuses for good."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.crash.cases import Case, Keeping, Kind, Server
from tests.crash.scene import RECIP, Scene
from tests.crash.steps import OF_GMAIL, OF_IMAP, OF_PLACEHOLDERS, OF_RECOVERY
from tests.delivery.smtp.receiver import Receiver, Say, receiving
from tests.program.account import USER, embedded_account
from tests.program.destination import FolderPlace
from tests.program.steps import Orders
from tests.support.size import NIGHTLY
from tui_popretr.faultpoints import Step
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Maildrop, Record, uid_key

COUNT: Final = 6
#: Each message is handed over first, so the journal writes more often than for a folder alone.
KILLED_AT: Final = [
    *(
        (step, 1)
        for step in Step
        if step not in OF_PLACEHOLDERS | OF_IMAP | OF_GMAIL | {Step.TROUBLE_COUNTED, Step.IN_TRANSACTION}
    ),
    *((Step.IN_TRANSACTION, nth) for nth in (range(1, 12) if NIGHTLY else (2, 4, 6))),
]
#: With one command at a time, messages are saved one by one.
SERVERS: Final = (Server.PIPELINING, Server.ONE_BY_ONE)


class RejectingPlace(FolderPlace):
    """A mail server that refuses everything, and the folder where that is saved."""

    def __init__(self, top: Path, receiver: Receiver) -> None:
        super().__init__(top / "mail")
        self.port = receiver.port
        self._spool = top / "var" / "tmp"
        receiver.script["DOT"] = deque([Say("554 5.7.1 spam")] * 1000)

    @property
    def inside(self) -> str:
        return (
            f"<smtp><address>127.0.0.1:{self.port}</address><sender>k@crash.test</sender>"
            f"<rejected>{self.path}</rejected></smtp>"
        )

    def unfinished(self) -> list[Path]:
        return [*super().unfinished(), *self._spool.glob("*")]


class RejectingScene(Scene):
    """Counts what is in the folder: what was only being handed over, the mail server has refused."""

    def interrupted(self) -> list[Record]:
        return [record for record in super().interrupted() if record.final is not None]


@contextmanager
def rejecting(top: Path, server: Server) -> Iterator[RejectingScene]:
    """A scene in which each message has been refused twice before."""
    case = Case(Kind.FOLDER, server, Keeping.NOTHING)
    with receiving() as receiver, embedded_account(server) as account:
        place = RejectingPlace(top, receiver)
        scene = RejectingScene(top, case, account, place, COUNT)
        with closing(Journal.open(str(scene.site.journal))) as journal:
            sink = f"smtp:127.0.0.1:{place.port}/{RECIP}"
            maildrop = journal.maildrop(Maildrop.of("127.0.0.1", account.port, USER, sink))
            for _ in range(2):
                troubles = [(uid_key(f"uid-{number}"), 1, "554", True) for number in range(1, COUNT + 1)]
                journal.count_failures(maildrop, troubles, 0)
        yield scene


@pytest.mark.parametrize(("step", "nth"), KILLED_AT, ids=[f"{step.name}-{nth}" for step, nth in KILLED_AT])
def test_killed_at_a_step(step: Step, nth: int, tmp_path: Path) -> None:
    with rejecting(tmp_path, SERVERS[list(Step).index(step) % 2]) as scene:
        if step in OF_RECOVERY:
            assert scene.killed(Orders(Step.LINKED.name))
            assert scene.interrupted()
        assert scene.killed(Orders(step.name, nth)), f"never reached: {scene.history}"
        scene.finish()
