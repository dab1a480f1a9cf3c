"""One program with many clients, each held in another state of a session, so that one end finds them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.program.process import run_program, write_configuration
from tests.shutdown.accounts import Account
from tests.shutdown.places import Asking, DeafPort
from tests.shutdown.states import STATES, State
from tests.support.passwords import PASSWORD
from tests.support.waiting import wait_for
from tui_popretr.faultpoints import Step

_SETTINGS = (
    '<delay_start>0</delay_start><concurrency total="64" perserver="64"/>'
    '<transcript flush="0">%DIRVAR%/transcript.log</transcript><audit>%DIRVAR%/audit.log</audit>'
)
#: The states that no server causes.
_CONNECTING, _RESOLVING, _ASKING = "connecting", "resolving", "password-command"
_OTHERS = {_CONNECTING: State(), _RESOLVING: State(), _ASKING: State(quits=True)}
#: The name whose look-up does not end.
_UNKNOWN = "resolving.example.test"
#: The account that a further client wants, too: that client is queued.
_TAKEN = "greeting-awaited"
#: The client that goes on.
_LIVELY = "slow-but-well"
_HANGING = "import tests.shutdown.hanging as hanging\n"


class Standstill:
    """The program's configuration, its servers, and its mail.

    `clients` bring each account's session into its state, `held` tells of those that are there where no server can;
    `patch` is the program's.
    """

    def __init__(self, folder: Path, states: Mapping[str, State], resources: ExitStack) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.accounts = {name: Account(name, state, folder, resources) for name, state in states.items()}
        self.clients = {name: account.client() for name, account in self.accounts.items()}
        self.held: dict[str, Callable[[], bool]] = {}
        self.patch = ""
        self._well = self._write("well.xml")

    def _write(self, name: str) -> str:
        return write_configuration(self.folder / name, *self.clients.values(), before=_SETTINGS)

    @property
    def path(self) -> str:
        """The configuration."""
        return self._write("held.xml")

    def wait(self) -> None:
        """Wait until every client is in its state."""
        wait_for(lambda: not self._elsewhere(), lambda: f"not held: {self._elsewhere()}")
        if _LIVELY in self.accounts:  # what was there before the program went on is known to all of it
            said = self.accounts[_LIVELY].server.said
            before = len(said())
            wait_for(lambda: len(said()) > before or said()[-1] == b"QUIT", lambda: "the program stands still")

    def _elsewhere(self) -> list[str]:
        return [name for name, account in self.accounts.items() if not self.held.get(name, account.is_held)()]

    # --- afterwards ---------------------------------------------------------------------------------------------------

    def without_farewell(self) -> list[str]:
        """Return the clients that could have sent QUIT and have not."""
        quits = [account for account in self.accounts.values() if account.state.quits]
        return [account.name for account in quits if account.server.said()[-1:] != [b"QUIT"]]

    def assert_nothing_is_left(self, said: str) -> None:
        """Check that no defect or password was logged, and that one run without faults delivers all mail once."""
        assert "Traceback" not in said
        assert "internal error" not in said
        logs = [path.read_text() for path in self.folder.glob("var/*.log")]
        assert not any(PASSWORD in text for text in [said, *logs])
        for account in self.accounts.values():
            account.repair()
        done = run_program(self._well, "--headless", "--once")
        assert done.code == 0, done.err
        troubles = {name: account.trouble() for name, account in self.accounts.items()}
        assert {name: trouble for name, trouble in troubles.items() if trouble} == {}


@contextmanager
def in_every_state(folder: Path) -> Iterator[Standstill]:
    """A client for each state of a session. At the end of the block, no password command runs any more."""
    with ExitStack() as resources:
        still = Standstill(folder, STATES | _OTHERS, resources)
        deaf = resources.enter_context(closing(DeafPort()))
        asking = resources.enter_context(closing(Asking(folder)))
        resolving = folder / "resolving"
        still.patch = f"{_HANGING}hanging.resolver({_UNKNOWN!r}, {str(resolving)!r})"
        still.held = {_CONNECTING: lambda: deaf.asked, _RESOLVING: resolving.exists, _ASKING: lambda: asking.alive}
        still.clients |= {
            "queued": still.accounts[_TAKEN].client("queued"),
            _CONNECTING: still.accounts[_CONNECTING].client(address=deaf.address),
            _RESOLVING: still.accounts[_RESOLVING].client(address=_UNKNOWN),
            _ASKING: still.accounts[_ASKING].client(command=asking.command),
        }
        yield still
        # those that were killed take a moment
        wait_for(lambda: not asking.alive, lambda: "the password command, or its child, runs on")


@contextmanager
def storing(folder: Path) -> Iterator[Standstill]:
    """A client with mail, for hang()."""
    with ExitStack() as resources:
        yield Standstill(folder, {"storing": State()}, resources)


def hang(still: Standstill, step: Step) -> None:
    """Make the program hang after a step of a message's way, in the thread that does it."""
    there = still.folder / step.name
    still.patch = f"{_HANGING}hanging.step({step.name!r}, {str(there)!r})"
    still.held = {"storing": there.exists}
