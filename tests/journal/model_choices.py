"""The events that Hypothesis chooses: mail, sessions with their settings, kills, faults and mail readers."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.journal.model_disk import FAILING, FAILING_AFTER, Happening, Moment, Step
from tests.journal.model_ledger import DAY, HOUR
from tests.journal.model_server import Ailment, Naming
from tests.support.popserver import QuitFault
from tui_popretr import faultpoints
from tui_popretr.config.model import Retention


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that arrives. `kind`: "new", or how it resembles the one before it."""

    account: int
    kind: str
    naming: Naming
    ailment: Ailment | None


@dataclass(frozen=True, slots=True)
class Errand:
    """A session: its account, its settings, and the behaviour of the server."""

    account: int
    retention: Retention
    port: int = 110
    after: float = 0.0  # seconds until the connection is there
    farewell: QuitFault = QuitFault.NONE
    rash: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """`later` seconds after the last round, mail arrives; then sessions run at the same time, with `happenings`."""

    later: int
    mail: list[Letter]
    errands: list[Errand]
    disk_seconds: float  # for each use of the disk; during a slow one, more messages gather for the next
    happenings: list[Moment]


ACCOUNTS = st.integers(0, 1)
DICE = st.randoms(use_true_random=False)
#: What a reader does with a file: removes it, or moves it to a name in cur with this ending.
VISITORS = st.sampled_from(("take", ":2,", ":2,FS"))

_RETENTIONS = st.builds(
    Retention,
    preserve=st.booleans(),
    new_only=st.booleans(),
    delete_after=st.sampled_from((None, None, 6.0 * DAY, 14.0 * DAY)),
    max_messages=st.sampled_from((None, None, None, 1, 2)),
)
_ERRANDS = st.builds(
    Errand,
    ACCOUNTS,
    st.just(Retention()) | _RETENTIONS,
    st.sampled_from((110, 995)),
    st.sampled_from((0.0, 0.0, 0.02)),
    st.just(QuitFault.NONE) | st.sampled_from(QuitFault),
    st.booleans(),
)
_LETTERS = st.builds(
    Letter,
    ACCOUNTS,
    st.sampled_from(("new", "new", "copy", "same header")),
    st.sampled_from(Naming),
    st.sampled_from((*[None] * 10, *Ailment)),
)
_KILLED = st.sampled_from((Happening.KILL, Happening.POWER_CUT))
_TORN = st.sampled_from((0.0, 1.0)) | st.floats(0, 1)
#: The steps between the two commits of a message, where a kill is most interesting.
_BETWEEN = st.sampled_from((Step.NAME, Step.SYNC_FOLDER, Step.AUDIT, Step.COMMIT))

#: A mail reader removes everything.
VISITS = st.builds(Moment, st.none(), st.integers(1, 60), st.just(Happening.VISIT))
#: The disk fails, or reports a failure.
TROUBLES = st.one_of(
    st.builds(Moment, st.sampled_from(FAILING), st.integers(1, 4), st.just(Happening.FAIL)),
    st.builds(Moment, st.sampled_from(FAILING_AFTER), st.integers(1, 4), st.just(Happening.FAIL_AFTER)),
    st.builds(Moment, st.just(Step.NAME), st.integers(1, 4), st.just(Happening.STRANGER)),
)
#: The program is killed, by a signal or with the machine.
ENDS = st.one_of(
    st.builds(Moment, st.none(), st.integers(1, 80), _KILLED, _TORN),
    st.builds(Moment, st.sampled_from((*Step, *faultpoints.Step)), st.integers(1, 3), _KILLED, _TORN),
    st.builds(Moment, _BETWEEN, st.integers(1, 3), _KILLED, _TORN),
)
#: Between two rounds, and between a kill and the next start: readers' 36 hours and our 30 lie within.
INTERVALS = st.sampled_from((0, 0, 0, 60, HOUR, 2 * DAY, 15 * DAY, 85 * DAY, 91 * DAY))
DOWN = st.sampled_from((0, 0, HOUR, 29 * HOUR, 31 * HOUR, 37 * HOUR))


def rounds(
    happenings: st.SearchStrategy[list[Moment]], later: st.SearchStrategy[int] = INTERVALS
) -> st.SearchStrategy[Round]:
    """Rounds of one session, or of one for each account."""
    errands = st.lists(_ERRANDS, min_size=1, max_size=2, unique_by=lambda errand: errand.account)
    letters = st.lists(_LETTERS, min_size=1, max_size=5)
    return st.builds(Round, later, letters, errands, st.sampled_from((0.0, 0.01)), happenings)
