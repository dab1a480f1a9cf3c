"""Messages whose DELE breaks the connection: new mail arrives at every run all the same, and the others are deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.hostile.script import CUT, ORDINARY, SILENCE, Play, Script
from tests.hostile.server import HostileServer
from tests.hostile.service import Service
from tests.support.worlds import mail
from tui_popretr.errors import ExitCode
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import MessageFailure

EACH_WAY = pytest.mark.parametrize("pipelining", [False, True])
BREAKS: dict[str, Play] = {"cut": CUT, "an empty line and silence": (b"\r\n", SILENCE), "garbage": b"what?\r\n"}


class BadServer(HostileServer):
    """DELE of these messages breaks the connection."""

    def __init__(self, play: Play, bad: set[str], *, pipelining: bool) -> None:
        super().__init__({}, {}, pipelining=pipelining)
        self._play = play
        self.bad = bad

        self.on_login: Callable[[], Play] | None = None

    async def serve(self, stream: trio.abc.Stream) -> None:
        if self.on_login is not None:
            self.script = {**self.script, "PASS": self.on_login()}
        await super().serve(stream)

    def add(self, name: str) -> None:
        self.mails[name] = mail(name)
        self.script = {f"DELE {number}": self._play for number, uid in enumerate(self.mails, 1) if uid in self.bad}


def failures(folder: Path) -> dict[str, int]:
    with closing(Journal.open(str(folder / "popretr.sqlite"))) as journal:
        troubles: list[MessageFailure] = [each for number in (1, 2) for each in journal.failures(number).values()]
        return {each.key: each.failures for each in troubles}


@EACH_WAY
@pytest.mark.parametrize("play", BREAKS.values(), ids=BREAKS)
@trio_test
async def test_new_mail_arrives_at_every_run(
    play: Play, pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Outlook does this for certain messages. The first is one of them, and a new one comes before each run."""
    server = BadServer(play, {"new-0"}, pipelining=pipelining)
    service = Service(tmp_path, server)
    for number in range(8):
        server.add(f"new-{number}")
        result = await service.run()
        assert service.arrived() == Counter(mail(f"new-{each}") for each in range(number + 1))
        assert (result.ok, result.messages, result.failed) == (False, 1, 0)
        assert "could not be deleted from the server" in result.error or pipelining
        assert number < 2 or list(server.mails) == ["new-0"], "it voids no other deletion"
    assert failures(tmp_path) == {"dele uid:new-0": 3}, "then it rests"
    assert b"DELE 1" not in server.heard[-1]


@EACH_WAY
@trio_test
async def test_a_server_that_breaks_at_every_dele(pipelining: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    server = BadServer(CUT, {f"new-{number}" for number in range(100)}, pipelining=pipelining)
    service = Service(tmp_path, server)
    for number in range(0, 40, 4):
        for each in range(number, number + 4):
            server.add(f"new-{each}")
        await service.run()
        assert service.arrived() == Counter(mail(f"new-{each}") for each in range(number + 4))
        assert len(server.heard) <= 5, "its number of connections is bounded"
        server.heard.clear()


@trio_test
async def test_a_deletion_that_rested_is_made_up_for(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = BadServer(CUT, {"bad"}, pipelining=False)
    service = Service(tmp_path, server)
    server.add("bad")
    for _ in range(4):
        await service.run()
    connections = len(server.heard)
    server.bad = set()
    server.add("good")
    result = await service.run()
    assert (result.messages, result.deleted) == (1, 1)
    assert "it was delivered; deleting it failed 3 times" in result.error
    assert len(server.heard) == connections + 1
    monkeypatch.setattr("tui_popretr.session.plan.LEAST_REST", 0)
    result = await service.run()
    assert (result.code, result.messages, result.deleted) == (ExitCode.OK, 0, 1)
    assert server.mails == {}
    assert failures(tmp_path) == {}


@trio_test
async def test_a_reused_uid_hides_no_delivery_without_uid(tmp_path: Path, autojump_clock: MockClock) -> None:
    """On its separate connection a message is compared with deliveries without UID, as on the first connection."""
    server = BadServer(CUT, {"u1"}, pipelining=False)
    service = Service(tmp_path, server)
    server.add("u1")
    await service.run()
    assert failures(tmp_path) == {"dele uid:u1": 1}
    server.mails = {"u1": mail("another")}
    server.script = {**server.script, "UIDL": b"+OK\r\n.\r\n"}
    await service.run()
    assert service.arrived() == Counter([mail("u1"), mail("another")])
    server.script, server.bad = {}, set()
    server.add("new")
    result = await service.run()
    assert service.arrived() == Counter([mail("u1"), mail("another"), mail("new")])
    assert (result.code, result.messages, result.deleted) == (ExitCode.OK, 1, 2)
    assert server.mails == {}


@pytest.mark.parametrize(
    ("play", "why"),
    [
        (b"-ERR [LOGIN-DELAY] wait\r\n", "wait"),
        (b"-ERR [IN-USE] busy\r\n", "busy"),
        (CUT, "the server closed the connection before its answer to PASS"),
    ],
)
@trio_test
async def test_the_connection_of_its_own_cannot_be_had(
    play: Play, why: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The mail of the run has arrived and its deletions are done: only the failed deletion is reported."""
    server = BadServer(CUT, {"bad"}, pipelining=False)
    service = Service(tmp_path, server)
    server.add("bad")
    await service.run()
    server.add("good")
    logins = iter([ORDINARY])
    server.on_login = lambda: next(logins, play)
    result = await service.run()
    assert (result.code, result.messages, result.deleted, result.failed) == (ExitCode.TEMPORARY, 1, 1, 0)
    assert result.error.startswith("1 message could not be deleted from the server: ")
    assert why in result.error
    assert failures(tmp_path) == {"dele uid:bad": 1}


@trio_test
async def test_a_server_that_wants_time_between_logins(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It gets one connection a run; the deletion that failed is tried when there is nothing else to do."""
    server = BadServer(CUT, {"bad"}, pipelining=False)
    service = Service(tmp_path, server)
    server.add("bad")
    await service.run()
    server.bad = set()
    server.add("good")
    server.heard.clear()
    server.script = {"CAPA": b"+OK\r\nUIDL\r\nTOP\r\nLOGIN-DELAY 600\r\n.\r\n"}
    assert (await service.run()).deleted == 1
    assert len(server.heard) == 1
    assert (await service.run()).deleted == 1
    assert len(server.heard) == 2
    assert server.mails == {}


@trio_test
async def test_a_header_that_breaks_the_connection_delays_no_mail(tmp_path: Path, autojump_clock: MockClock) -> None:
    """TOP, which comes before the deletion of what an earlier session delivered, may do it too."""
    server = HostileServer({"old": mail("old")}, {"QUIT": CUT})
    service = Service(tmp_path, server)
    await service.run()
    for number in range(5):
        server.mails[f"new-{number}"] = mail(f"new-{number}")
        server.script = {"TOP 1 0": CUT}
        await service.run()
        assert service.arrived() == Counter([mail("old"), *(mail(f"new-{each}") for each in range(number + 1))])
        assert list(server.mails) == ["old"]


@pytest.mark.parametrize("uids", [True, False])
@trio_test
async def test_top_answers_with_two_status_lines(uids: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """FTGate does this. The messages have no Message-ID, and the session before was cut before QUIT."""
    mails = {f"uid-{n}": b"Subject: %d\r\n\r\ntext %d\r\n" % (n, n) for n in (1, 2)}
    listing: Script = {} if uids else {"CAPA": b"-ERR\r\n", "UIDL": b"-ERR\r\n"}
    server = HostileServer(mails, {**listing, "QUIT": CUT})
    service = Service(tmp_path, server)
    await service.run()
    assert len(server.mails) == 2
    server.script = {**listing, "TOP": (b"+OK\r\n", ORDINARY)}
    result = await service.run()
    assert (result.code, result.messages, result.deleted) == (ExitCode.OK, 0, 2)
    assert service.arrived() == Counter(mails.values())
    assert server.mails == {}


FOLDER_DATA = (
    b"From MAILER-DAEMON Mon Nov 23 07:27:59 2026\r\nDate: 23 Nov 2026 07:27:59 +0000\r\n"
    b"From: Mail System Internal Data <MAILER-DAEMON@example.test>\r\n"
    b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\r\n%b: 1132745922 0000000003\r\nStatus: RO\r\n\r\n"
    b"This text is part of the internal format of your mail folder, and is not a real message.\r\n"
)


@EACH_WAY
@pytest.mark.parametrize("field", [b"X-IMAP", b"X-IMAPbase", b"x-imap"])
@trio_test
async def test_folder_data_of_uw_imap(
    field: bytes, pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    server = HostileServer({"data": FOLDER_DATA % field, "uid-2": mail(2)}, {}, pipelining=pipelining)
    service = Service(tmp_path, server)
    for number in range(2):
        result = await service.run()
        assert (result.code, result.messages, result.skipped) == (ExitCode.OK, 1 - number, 1)
    assert service.arrived() == Counter([mail(2)])
    assert list(server.mails) == ["data"]


@pytest.mark.parametrize(
    "change",
    [(b"X-IMAP: ", b"X-Other: "), (b"DON'T DELETE", b"Re: DON'T DELETE"), (b"Subject: ", b"Comment: ")],
)
@trio_test
async def test_what_only_looks_like_folder_data(
    change: tuple[bytes, bytes], tmp_path: Path, autojump_clock: MockClock
) -> None:
    server = HostileServer({"data": (FOLDER_DATA % b"X-IMAP").replace(*change)}, {})
    assert (await Service(tmp_path, server).run()).messages == 1
    assert server.mails == {}


@trio_test
async def test_folder_data_that_is_not_the_first_message(tmp_path: Path, autojump_clock: MockClock) -> None:
    server = HostileServer({"uid-1": mail(1), "data": FOLDER_DATA % b"X-IMAP"}, {})
    assert (await Service(tmp_path, server).run()).messages == 2


@trio_test
async def test_folder_data_that_an_earlier_version_delivered(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Its deletion is owed, and is not done."""
    server = HostileServer({"data": mail("data")}, {"QUIT": CUT})
    service = Service(tmp_path, server)
    await service.run()
    server.mails["data"] = FOLDER_DATA % b"X-IMAP"
    server.script = {}
    result = await service.run()
    assert (result.code, result.messages, result.deleted) == (ExitCode.OK, 0, 0)
    assert list(server.mails) == ["data"]


@EACH_WAY
@pytest.mark.parametrize("factor", [1, 40])
@trio_test
async def test_sizes_of_a_compressed_store(
    factor: int, pipelining: bool, tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lists 1,000,000 octets and sends 40,000,000; here a hundredth of that, with a smaller allowance besides."""
    monkeypatch.setattr("tui_popretr.session.reception.EXCESS", 0)
    content = mail(1, b"text\r\n" * 6000 * factor)
    server = HostileServer(
        {"uid-1": content}, {"LIST": b"+OK\r\n1 %d\r\n.\r\n" % (len(content) // factor)}, pipelining=pipelining
    )
    result = await Service(tmp_path, server).run()
    assert (result.code, result.messages, result.deleted) == (ExitCode.OK, 1, 1)


@trio_test
async def test_a_violation_after_the_login_is_not_blamed_on_the_port(tmp_path: Path, autojump_clock: MockClock) -> None:
    server = HostileServer({"uid-1": mail(1)}, {"QUIT": b"what?\r\n"})
    result = await Service(tmp_path, server).run()
    assert result.code is ExitCode.PROTOCOL
    assert result.advice == "it is tried again at the next run; the transcript shows what the server said"
