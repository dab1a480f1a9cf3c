"""What may happen, as Hypothesis chooses it: mail, sessions under their settings, kills, faults and visitors."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.journal.model_disk import FAILING, FAILING_AFTER, Happening, Moment, Step
from tests.journal.model_errand import Errand
from tests.journal.model_ledger import HOUR
from tests.journal.model_server import Ailment, Farewell, Naming
from tui_popretr.session.plan import Policy

DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that arrives. `kind`: "new", or how it is like the one before it."""

    account: int
    kind: str
    naming: Naming
    ailment: Ailment | None


@dataclass(frozen=True, slots=True)
class Run:
    """`later` seconds after what was before mail arrives, and sessions are run, in which something may happen."""

    later: int
    mail: list[Letter]
    errands: list[Errand]
    group: int  # messages that are made durable together
    happenings: list[Moment]


ACCOUNTS = st.integers(0, 1)
DICE = st.randoms(use_true_random=False)
#: Of what becomes of a file: taken away, or given a name in cur that ends so.
VISITORS = st.sampled_from(("take", ":2,", ":2,FS"))

_POLICIES = st.builds(
    Policy,
    preserve=st.booleans(),
    new_only=st.booleans(),
    delete_after=st.sampled_from((None, None, 14.0 * DAY)),
    max_messages=st.sampled_from((None, None, None, 1, 2)),
)
_ERRANDS = st.builds(
    Errand,
    account=ACCOUNTS,
    policy=_POLICIES,
    port=st.sampled_from((110, 995)),
    after=st.integers(0, 4),
    farewell=st.just(Farewell.OK) | st.sampled_from(Farewell),
    rash=st.booleans(),
)
_LETTERS = st.builds(
    Letter,
    ACCOUNTS,
    st.sampled_from(("new", "new", "copy", "same header")),
    st.sampled_from(Naming),
    st.sampled_from((*[None] * 8, *Ailment)),
)
_KILLED = st.sampled_from((Happening.KILL, Happening.POWER_CUT))
_TORN = st.sampled_from((0.0, 1.0)) | st.floats(0, 1)
#: Between a message's two commits is where a kill is of most interest.
_BETWEEN = st.sampled_from((Step.NAME, Step.SYNC_FOLDER, Step.AUDIT, Step.COMMIT))

#: Somebody else comes by.
VISITS = st.builds(Moment, st.none(), st.integers(1, 60), st.just(Happening.VISIT))
#: The disk refuses something, or says that it does.
TROUBLES = st.one_of(
    st.builds(Moment, st.sampled_from(FAILING), st.integers(1, 4), st.just(Happening.FAIL)),
    st.builds(Moment, st.sampled_from(FAILING_AFTER), st.integers(1, 4), st.just(Happening.FAIL_AFTER)),
    st.builds(Moment, st.just(Step.NAME), st.integers(1, 4), st.just(Happening.STRANGER)),
)
#: The program is killed, by a signal or with the machine.
ENDS = st.one_of(
    st.builds(Moment, st.none(), st.integers(1, 60), _KILLED, _TORN),
    st.builds(Moment, st.sampled_from(Step), st.integers(1, 4), _KILLED, _TORN),
    st.builds(Moment, _BETWEEN, st.integers(1, 3), _KILLED, _TORN),
)
#: Between two runs, and between a kill and the next start: readers' 36 hours and our 30 lie within.
INTERVALS = st.sampled_from((0, 0, 0, 60, HOUR, 2 * DAY, 15 * DAY, 85 * DAY, 91 * DAY))
DOWN = st.sampled_from((0, 0, HOUR, 29 * HOUR, 31 * HOUR, 37 * HOUR))


def runs(
    happenings: st.SearchStrategy[list[Moment]], later: st.SearchStrategy[int] = INTERVALS
) -> st.SearchStrategy[Run]:
    """Runs of one session, or of one for each account."""
    errands = st.lists(_ERRANDS, min_size=1, max_size=2, unique_by=lambda errand: errand.account)
    return st.builds(Run, later, st.lists(_LETTERS, min_size=1, max_size=5), errands, st.integers(1, 3), happenings)
