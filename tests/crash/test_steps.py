"""The program is killed at every labelled step of every case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.crash.cases import CASES, Case, Keeping, Kind, Server
from tests.crash.scene import Scene, id_of, staged
from tests.crash.steps import OF_GMAIL, OF_PLACEHOLDERS, OF_RECOVERY, is_in
from tests.program.steps import Orders, obstruct
from tests.support.size import NIGHTLY
from tui_popretr.errors import ExitCode
from tui_popretr.faultpoints import Step

COUNT = 12
#: What leaves something to recover; in IMAP, where the folder is made at the first attempt, something to find.
TO_RECOVER: Final = {False: Orders(Step.DELIVERING.name), True: Orders(Step.APPEND_ANSWERED.name, 2)}


#: The kinds in the gate. LMTP and commands take the same way as SMTP, and are tested at night.
KINDS: Final = tuple(Kind) if NIGHTLY else (Kind.MAILDIR, Kind.FOLDER, Kind.SMTP, Kind.IMAP)


def killed_at() -> Iterator[tuple[Step, int, Case]]:
    """Yield what is tested: the step, at which arrival, and the case."""
    for number, step in enumerate(Step):
        for kind in KINDS:
            cases = [case for case in CASES if case.kind is kind and is_in(step, case)]
            if cases and not NIGHTLY:  # each time with another server and another keeping
                cases = [cases[number % len(cases)]]
            # The journal is written when server and maildrop become known, before and after the messages, at the end.
            arrivals = (1, 2, 3, 4, 5) if step is Step.IN_TRANSACTION else (1,)
            yield from ((step, nth, case) for case in cases for nth in arrivals)


KILLED_AT: Final = tuple(killed_at())


def test_each_step_is_in_some_case() -> None:
    assert {step for step, _, _ in KILLED_AT} == set(Step) - OF_PLACEHOLDERS - OF_GMAIL


def recoveries(scene: Scene) -> Counter[str]:
    """How often recovery must report each result, by what is on the disk or the server."""
    arrived = {id_of(message) for message in scene.place.look()}
    return Counter(
        ("has arrived" if record.identity.message_id in arrived else "has not arrived")
        if record.mark is not None
        else "was being sent"
        if record.final is None
        else "was delivered already"
        if Path(record.final).exists()
        else "is delivered now"
        for record in scene.interrupted()
    )


@pytest.mark.parametrize(
    ("step", "nth", "case"), KILLED_AT, ids=[f"{step.name}-{nth}-{case}" for step, nth, case in KILLED_AT]
)
def test_killed_at_a_step(step: Step, nth: int, case: Case, tmp_path: Path) -> None:
    with staged(tmp_path, case, COUNT) as (scene, account):
        if step in OF_RECOVERY:
            assert scene.killed(TO_RECOVER[case.kind is Kind.IMAP])
            assert scene.interrupted()
        elif step is Step.TROUBLE_COUNTED:
            account.running.server.faults.refuse.add(2)
        obstructed = scene.place.obstruct() if step is Step.WITHDRAWN else None
        assert scene.killed(Orders(step.name, nth, obstructed=obstructed)), f"never reached: {scene.history}"
        assert scene.last_step == step.name
        account.running.server.faults.refuse.clear()
        scene.place.mend()
        expected, before = recoveries(scene), len(scene.site.trace())
        scene.finish()
        reported = re.findall(
            "recovered: it (was being sent|has arrived|has not arrived|.*)", scene.site.trace()[before:]
        )
        assert Counter(reported) == expected


@pytest.mark.parametrize("kind", Kind)
def test_killed_in_the_middle_of_withdrawing(kind: Kind, tmp_path: Path) -> None:
    """A record without a file would be taken for a message that a reader has taken: so the record goes first."""
    with staged(tmp_path, Case(kind, Server.PIPELINING, Keeping.NOTHING), COUNT) as (scene, _):
        # Before that the journal is written for the server's capabilities, the maildrop, and the record.
        assert scene.killed(Orders(Step.IN_TRANSACTION.name, 4, obstructed=scene.place.obstruct()))
        assert scene.interrupted()
        scene.place.mend()
        # In the folder, the stranger tells that it was never published.
        scene.finish(forgotten=["0@crash.test"] if kind is Kind.FOLDER else [])


def test_what_was_interrupted_waits_for_its_destination(tmp_path: Path) -> None:
    """A message cannot be looked up while its folder is missing: its file must not be removed."""
    with staged(tmp_path, Case(Kind.MAILDIR, Server.PIPELINING, Keeping.NOTHING), COUNT) as (scene, _):
        assert scene.killed(Orders(Step.DELIVERING.name))
        interrupted = scene.interrupted()
        assert interrupted
        obstruct(tmp_path / "mail")
        assert scene.site.once().code == ExitCode.CANT_CREATE
        assert scene.interrupted() == interrupted
        scene.place.mend()
        scene.finish()
