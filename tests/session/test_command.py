"""Sessions that hand their messages to a command: what it accepts is deleted, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.passwords import PASSWORD
from tests.support.popserver import QuitFault
from tests.support.worlds import World, mail
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import CommandDestination
from tui_popretr.config.sources import FromEnvironment
from tui_popretr.errors import ExitCode
from tui_popretr.facts import MessageDelivered, MessageSkipped
from tui_popretr.journal.records import MessageState

#: Saves a message as $1/NUMBER, in their order.
SAVE = 'cat >"$1/$(ls "$1" | wc -l)"'

EACH_WAY = pytest.mark.parametrize("pipelining", [True, False])


class CommandWorld(World):
    """A world whose client delivers to a script; $1 is the folder `taken`."""

    @property
    def taken(self) -> Path:
        return self.folder / "taken"

    def deliver_to(self, script: str, *, timeout: float = 30.0, eol: Eol = Eol.NATIVE) -> None:
        self.taken.mkdir(exist_ok=True)
        self.destination = CommandDestination(("sh", "-c", script, "sh", str(self.taken)), timeout, eol)

    def arrived(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.taken.iterdir(), key=lambda path: int(path.name))]


def stored(message: bytes) -> bytes:
    return message.replace(b"\r\n", b"\n")


@pytest.fixture
def world(tmp_path: Path) -> CommandWorld:
    world = CommandWorld(tmp_path)
    world.deliver_to(SAVE)
    return world


@pytest.fixture
def real_clock() -> MockClock:
    """Commands take real time, which must not run into deadlines."""
    return MockClock(rate=1.0)


@EACH_WAY
@trio_test
async def test_what_it_accepts_is_deleted(world: CommandWorld, real_clock: MockClock, pipelining: bool) -> None:
    world.become(pipelining=pipelining)
    messages = [mail(1), mail(2, b"bare\r, bare\n, \0\r\nFrom x\r\n.\r\n" * 10_000), mail(3)]
    world.add(*messages)
    result = await world.poll()
    assert result.ok, result.error
    assert (result.messages, result.deleted) == (3, 3)
    assert world.arrived() == list(map(stored, messages))
    assert world.remaining() == []
    assert [(each.destination, each.path) for each in world.of(MessageDelivered)] == [("Command=sh", None)] * 3
    assert {record.state for record in world.records()} == {MessageState.DELETED}
    assert (await world.poll()).messages == 0
    assert not list(world.folder.glob("tmp*")), "nothing of the spool is left"


@trio_test
async def test_our_header_and_the_line_ends(world: CommandWorld, real_clock: MockClock) -> None:
    for eol, end in ((Eol.NATIVE, b"\n"), (Eol.CRLF, b"\r\n")):
        world.deliver_to(SAVE, eol=eol)
        world.add(mail(1))
        assert (await world.poll(omit_received=False)).ok
        received = world.arrived()[-1].split(end)
        assert received[:2] == [
            b"Received: from pop.example.test ([192.0.2.7])",
            b"\tby testhost (tui-popretr test) with POP3",
        ], "and no line of mbox before it"
        assert received[3] == b"Message-ID: <1@example.test>"
        assert world.arrived()[-1].count(b"\r\n") == (len(received) - 1) * (end == b"\r\n")


@trio_test
async def test_what_it_says_is_in_the_audit_line_and_in_the_transcript(
    world: CommandWorld, real_clock: MockClock
) -> None:
    world.deliver_to(f"{SAVE}; echo 'saved; in inbox'; printf '\\033[2J' >&2")
    world.add(mail(1))
    assert (await world.poll()).ok
    (line,) = (each for each in world.audit_log.read_text().splitlines() if "Downloaded" in each)
    assert line.endswith(
        r"Downloaded pop.example.test:110/alice => Command=sh; MsgID=1@example.test; Size=98; Sender=null;"
        r" Output=saved\x3b in inbox | \x1b[2J"
    )
    transcript = world.transcript()
    start = transcript.index("event MDA sh gets MessageBody octets=93")
    assert transcript[start + 1 : start + 4] == [
        "<< MDA saved; in inbox",
        r"<< MDA \x1b[2J",
        "event MDA sh ended with exit code 0",
    ]


@EACH_WAY
@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        ("echo no room >&2; exit 75", ExitCode.TEMPORARY, "sh ended with exit code 75 (a temporary failure): no room"),
        ("exit 67", ExitCode.UNAVAILABLE, "sh ended with exit code 67 (it knows no such user)"),
        ("kill -KILL $$", ExitCode.TEMPORARY, "sh was killed by SIGKILL"),
    ],
)
@trio_test
async def test_a_message_the_command_refuses_stays(
    world: CommandWorld, real_clock: MockClock, pipelining: bool, failure: str, code: ExitCode, words: str
) -> None:
    world.become(pipelining=pipelining)
    world.deliver_to(
        f'file="$1/$(ls "$1" | wc -l)"; cat >"$file"; grep -q BAD "$file" && {{ rm "$file"; {failure}; }}; :'
    )
    world.add(mail(1), mail(2, b"BAD\r\n"), mail(3))
    result = await world.poll()
    assert (result.code, result.messages, result.failed, result.deleted) == (code, 2, 1, 2)
    assert words in result.error
    assert world.remaining() == ["uid-2"]
    assert world.arrived() == [stored(mail(1)), stored(mail(3))]
    assert [each.reason for each in world.of(MessageSkipped)] == [words]
    assert world.said()[-1] == "QUIT"
    world.deliver_to(SAVE)
    result = await world.poll()
    assert (result.messages, world.remaining()) == (1, []), "another command has another memory, and this one had none"
    assert world.arrived()[-1] == stored(mail(2, b"BAD\r\n"))


@trio_test
async def test_one_that_fails_for_all_ends_the_retrieval(world: CommandWorld, real_clock: MockClock) -> None:
    world.become(pipelining=False)
    world.deliver_to("exit 78")
    world.add(*map(mail, range(100)))
    result = await world.poll()
    assert (result.code, result.messages) == (ExitCode.UNAVAILABLE, 0)
    assert "it is configured wrongly" in result.error
    assert world.verbs().count("RETR") < 100
    assert world.said()[-1] == "QUIT"
    assert len(world.remaining()) == 100


@trio_test
async def test_one_that_hangs_is_given_up(world: CommandWorld, real_clock: MockClock) -> None:
    world.deliver_to('[ -e "$1/0" ] && exec sleep 1000; ' + SAVE, timeout=0.3)
    world.add(mail(1), mail(2))
    result = await world.poll()
    assert (result.code, result.messages, result.failed) == (ExitCode.TEMPORARY, 1, 1)
    assert "sh took longer than 0.3 s: it was killed by SIGTERM" in result.error
    assert world.remaining() == ["uid-2"]


@trio_test
async def test_a_command_may_accept_without_reading_its_input(world: CommandWorld, real_clock: MockClock) -> None:
    world.deliver_to('head -c 5 >"$1/0"; exec <&-; exit 0')
    world.add(mail(1, b"x" * 500_000 + b"\r\n"))
    result = await world.poll()
    assert result.ok, result.error
    assert world.arrived() == [b"Messa"]
    assert world.remaining() == []


@trio_test
async def test_where_there_is_no_such_program_nothing_is_asked_for(world: CommandWorld, real_clock: MockClock) -> None:
    world.add(mail(1))
    world.faults.quit = QuitFault.CUT_BEFORE_UPDATE
    await world.poll()
    world.faults.quit = QuitFault.NONE
    world.add(mail(2))
    world.destination = CommandDestination(("no-such-program", "--private"))
    result = await world.poll()
    assert result.code is ExitCode.UNAVAILABLE
    assert result.error.startswith("cannot run no-such-program: there is no such program in the PATH")
    assert "--private" not in result.error
    assert "RETR" not in world.verbs(-1)
    assert world.said()[-1] == "QUIT"
    assert world.remaining() == ["uid-1", "uid-2"]
    world.deliver_to(SAVE)
    result = await world.poll()
    assert (result.messages, world.remaining()) == (1, []), (
        "the first was delivered already, and was still to be deleted"
    )
    assert world.arrived() == [stored(mail(1)), stored(mail(2))]


@trio_test
async def test_passwords_in_the_environment_are_none_of_its_business(
    world: CommandWorld, real_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MINE", "ANOTHERS"):
        monkeypatch.setenv(name, PASSWORD)
    world.deliver_to("env; exit 1")
    world.add(mail(1))
    mine = world.client(server=replace(world.client().server, password=FromEnvironment("MINE")))
    other = replace(mine, id="b", server=replace(mine.server, host="b.test", password=FromEnvironment("ANOTHERS")))
    engine = await world.run(mine, other)
    told = [*world.transcript(), *(result.error for result in engine.results.values())]
    assert any("PATH=" in line for line in told)
    assert not [line for line in told if PASSWORD in line]
