"""Turns against a real Dovecot: everything is there again each time, and a mistake of a client is seen."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks.clients import FETCHMAIL, FETCHMAIL_8, MPOP, Client, Task, mpop, ours
from benchmarks.corpora import Corpus, corpora
from benchmarks.dashboards import daemon, open_dashboard, with_dashboard
from benchmarks.delayproxy import far_away
from benchmarks.process import USER
from benchmarks.results import Turn
from benchmarks.store import PASSWORD, Store
from benchmarks.turns import Course

CARELESS = Path(__file__).with_name("careless.py")


@pytest.fixture(scope="module")
def store(needs_dovecot: None) -> Iterator[Store]:
    with Store("/tmp") as server:
        yield server


@pytest.fixture
def one(store: Store, shared: Path) -> Iterator[Course]:
    """A mailbox with messages of all kinds."""
    course = Course(store, Corpus("one", 1, 12, corpora()["mixed"].make), shared)
    yield course
    course.clear()


@pytest.fixture
def several(store: Store, shared: Path) -> Iterator[Course]:
    course = Course(store, Corpus("several", 3, 4, corpora()["small"].make), shared)
    yield course
    course.clear()


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that other users can come to: pytest's own are private."""
    with TemporaryDirectory(prefix="popretr-bench-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def careless(mistake: str) -> Client:
    def command(task: Task) -> list[str]:
        (account,) = task.accounts
        return [sys.executable, str(CARELESS), mistake, f"{task.port}", account, PASSWORD, str(task.maildir(account))]

    return Client(mistake, command, sys.executable, as_us=True)


def counts(turn: Turn) -> bool:
    """Whether it does, with figures that can be."""
    return not turn.problem and turn.seconds > 0 and turn.cpu > 0 and turn.memory > 1_000_000


def test_ours_and_again(one: Course, store: Store) -> None:
    for number, tls in ((1, False), (2, True)):
        turn = one.turn("row", ours(), number, store.tls_port if tls else store.port, tls=tls)
        assert counts(turn), turn
        assert turn.altered == 0
        assert (turn.row, turn.client, turn.number) == ("row", "tui-popretr", number)


def test_ours_from_far_away(one: Course, store: Store) -> None:
    with far_away(store.port, 20) as port:
        turn = one.turn("row", ours(), 1, port, tls=False)
    assert counts(turn), turn


def test_ours_with_the_dashboard(several: Course, store: Store) -> None:
    turn = several.turn("row", with_dashboard(ours()), 1, store.port, tls=False)
    assert counts(turn), turn


@pytest.mark.parametrize("waiting", [open_dashboard, daemon])
def test_ours_that_waits_before(several: Course, store: Store, waiting: Callable[[Client], Client]) -> None:
    turn = several.turn("row", waiting(ours()), 1, store.port, tls=False)
    assert not turn.problem
    assert turn.seconds > 0
    assert turn.memory > 1_000_000


def test_sessions_are_counted_from_when_they_are_watched(several: Course, store: Store) -> None:
    before = store.watch_sessions()
    several.turn("row", ours(), 1, store.port, tls=False)
    after = store.watch_sessions()
    assert before().ended == 3
    assert before().begun >= 3
    assert after() == (0, 0)


def test_an_empty_mailbox(store: Store, shared: Path) -> None:
    course = Course(store, corpora()["empty"], shared)
    turn = course.turn("row", ours(), 1, store.port, tls=False)
    assert counts(turn), turn


@pytest.mark.parametrize("client", [MPOP, FETCHMAIL], ids=lambda client: client.name)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_peer(one: Course, store: Store, client: Client, tls: bool) -> None:
    if not client.installed:
        pytest.skip(f"{client.name} is not installed")
    turn = one.turn("row", client, 1, store.tls_port if tls else store.port, tls=tls)
    assert counts(turn), turn


@pytest.mark.parametrize("client", [mpop(2), FETCHMAIL_8], ids=lambda client: client.name)
def test_a_peer_with_several_accounts(several: Course, store: Store, client: Client) -> None:
    if not client.installed:
        pytest.skip(f"{client.name} is not installed")
    turn = several.turn("row", client, 1, store.port, tls=False)
    assert counts(turn), turn


@pytest.mark.parametrize(
    ("mistake", "problem"),
    [
        ("nothing", ""),
        ("loses", "1 missing"),
        ("doubles", "1 twice"),
        ("leaves", "1 left on the server"),
        ("complains", "exit code 1"),
    ],
)
def test_a_mistake_is_seen(one: Course, store: Store, mistake: str, problem: str) -> None:
    turn = one.turn("row", careless(mistake), 1, store.port, tls=False)
    assert turn.problem == problem
    assert turn.altered == 0


def test_an_altered_message_is_seen(one: Course, store: Store) -> None:
    assert one.turn("row", careless("alters"), 1, store.port, tls=False).altered == 1


def test_what_a_client_complained_of_is_told(one: Course, store: Store) -> None:
    def command(task: Task) -> list[str]:
        return ["sh", "-c", "echo what a pity >&2; exit 7"]

    turn = one.turn("row", Client("sh", partial(command), "sh"), 1, store.port, tls=False)
    assert turn.problem == "12 missing, 12 left on the server; exit code 7; what a pity"
    assert USER not in turn.problem
