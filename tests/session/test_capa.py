"""CAPA and UTF8 in whole sessions: what is asked before the login, what is remembered of it, and what follows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.popserver import Faults, PipelineFault, Utf8Support
from tests.support.running import Fleet
from tests.support.streams import MemoryStream
from tests.support.worlds import DAY, USER, World, mail
from tui_popretr.config.choices import AuthType, CapaUse
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Level, MessageSkipped, Noted
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import CapaHistory, MessageState
from tui_popretr.session.capa import REPLACED

RAW = mail("raw").replace(b"Subject: raw", "Subject: Prüfung".encode())
NEVER: dict[str, Any] = {"capa": CapaUse.NEVER}
SUSPENDED = "nothing is deleted in this session: the server has listed UTF8 and refuses it now (no)"
#: A server that hangs up at CAPA.
BROKE = "the server closed the connection before its answer to CAPA; connecting once more without CAPA"
FOR_A_DAY = (
    "pop.example.test:110 cannot handle CAPA: it is not sent again for a day."
    ' capa="never" in the client switches it off'
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def warnings(world: World) -> list[str]:
    return [note.text for note in world.of(Noted) if note.level is Level.WARNING]


def history(world: World) -> CapaHistory | None:
    with closing(Journal.open(str(world.folder / "popretr.sqlite"))) as journal:
        return next(iter(journal.capa_histories()), None)


# --- UTF8 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("without", [Utf8Support.SUBSTITUTED, Utf8Support.REFUSED])
@trio_test
async def test_a_message_with_utf8_in_its_header_comes_whole(
    world: World, autojump_clock: MockClock, without: Utf8Support, pipelining: bool
) -> None:
    world.become(utf8=without, pipelining=pipelining)
    world.add(RAW, mail(1))
    sent: list[bytes] = []
    world.on_send = sent.append
    result = await world.poll()
    assert (result.error, result.deleted) == ("", 2)
    assert sorted(world.arrived()) == sorted([RAW, mail(1)])
    first = sent[1:2] if pipelining else sent[1:3]
    assert first == ([b"UTF8\r\nUSER alice\r\n"] if pipelining else [b"UTF8\r\n", b"USER alice\r\n"])


@trio_test
async def test_records_tell_whether_utf8_was_on(world: World, autojump_clock: MockClock) -> None:
    world.add(RAW)
    await world.poll(preserve=True)
    world.become(utf8=Utf8Support.SUBSTITUTED)
    world.add(mail(1))
    await world.poll(preserve=True, new_only=True)
    assert [record.identity.utf8 for record in world.records()] == [False, True]


@pytest.mark.parametrize("auth", [AuthType.USERPASS, AuthType.APOP, AuthType.SASL_SCRAM_SHA_256])
@trio_test
async def test_utf8_goes_with_the_first_command_of_each_method(
    world: World, autojump_clock: MockClock, auth: AuthType
) -> None:
    world.become(utf8=Utf8Support.SUBSTITUTED)
    world.add(RAW)
    sent: list[bytes] = []
    world.on_send = sent.append
    await world.poll(server=replace(world.client().server, auth_types=(auth,)))
    assert sent[1].startswith((b"UTF8\r\nUSER", b"UTF8\r\nAPOP", b"UTF8\r\nAUTH"))
    assert world.arrived() == [RAW]


@trio_test
async def test_without_capa_utf8_is_sent_if_listed_before(world: World, autojump_clock: MockClock) -> None:
    """Each poll is a process of its own, so that it is the journal that remembers."""
    world.become(utf8=Utf8Support.SUBSTITUTED)
    assert (await world.poll()).ok
    world.add(RAW)
    result = await world.poll(**NEVER)
    assert (result.ok, result.deleted) == (True, 1)
    assert world.verbs(-1)[:2] == ["UTF8", "USER"]
    assert world.arrived() == [RAW]


@trio_test
async def test_a_refused_capa_forgets_no_utf8(world: World, autojump_clock: MockClock) -> None:
    world.become(utf8=Utf8Support.SUBSTITUTED)
    assert (await world.poll()).ok
    world.become(capa=False)
    world.add(RAW)
    assert (await world.poll()).ok
    assert world.verbs(-1)[:3] == ["CAPA", "UTF8", "USER"]
    assert world.arrived() == [RAW]


@trio_test
async def test_a_server_that_lists_utf8_no_more_is_sent_none(world: World, autojump_clock: MockClock) -> None:
    world.become(utf8=Utf8Support.SUBSTITUTED)
    assert (await world.poll()).ok
    world.become(utf8=Utf8Support.UNKNOWN)
    world.add(mail(1))
    assert (await world.poll()).deleted == 1
    assert "UTF8" not in world.verbs(-1)
    assert warnings(world) == []


@pytest.mark.parametrize("uidl", [True, False])
@trio_test
async def test_where_utf8_is_refused_nothing_is_deleted(world: World, autojump_clock: MockClock, uidl: bool) -> None:
    """What comes then may be a notice in place of a message: it is judged when UTF8 is possible again."""
    world.become(utf8=Utf8Support.SUBSTITUTED, uidl=uidl)
    assert (await world.poll()).ok
    world.add(RAW, mail(1), mail(2))
    world.faults.answers["UTF8"] = b"-ERR no\r\n"
    for messages in (3, 0, 0):
        result = await world.poll()
        assert (result.error, result.messages, result.deleted) == ("", messages, 0)
        assert warnings(world) == [SUSPENDED]
    assert len(world.remaining()) == 3
    assert not any(record.delete_pending for record in world.records())
    assert "DELE" not in world.verbs()
    world.add(mail(3))
    assert (await world.poll()).messages == 1

    world.server.faults = Faults()
    result = await world.poll()
    assert (result.error, result.messages, result.deleted) == ("", 1, 4)
    assert RAW in world.arrived()
    assert [world.arrived().count(mail(number)) for number in (1, 2, 3)] == [1, 1, 1]
    assert world.remaining() == []


@trio_test
async def test_a_refused_utf8_names_the_setting_that_hides_capa(world: World, autojump_clock: MockClock) -> None:
    world.become(utf8=Utf8Support.SUBSTITUTED)
    assert (await world.poll()).ok
    world.faults.answers["UTF8"] = b"-ERR no\r\n"
    world.add(mail(1))
    assert (await world.poll(**NEVER)).deleted == 0
    (told,) = warnings(world)
    assert told.startswith(SUSPENDED)
    assert 'remove capa="never" for one run' in told
    world.server.faults = Faults()
    world.become(utf8=Utf8Support.UNKNOWN)  # another server
    assert (await world.poll()).deleted == 1


@trio_test
async def test_what_is_owed_waits_where_utf8_is_refused(world: World, autojump_clock: MockClock) -> None:
    world.become(utf8=Utf8Support.SUBSTITUTED)
    world.add(mail(1))
    world.faults.answers["QUIT"] = b"-ERR not now\r\n"
    assert (await world.poll()).deleted == 0
    world.faults.answers = {"UTF8": b"-ERR no\r\n"}
    result = await world.poll()
    assert (result.messages, result.deleted) == (0, 0)
    world.faults.answers = {}
    result = await world.poll()
    assert (result.messages, result.deleted) == (0, 1)


@pytest.mark.parametrize(("days", "deleted"), [(REPLACED / DAY - 1, 0), (REPLACED / DAY + 1, 1)])
@trio_test
async def test_long_refusal_of_capa_and_utf8_clears_the_history(
    world: World, autojump_clock: MockClock, days: float, deleted: int
) -> None:
    world.become(utf8=Utf8Support.SUBSTITUTED)
    assert (await world.poll()).ok
    world.become(utf8=Utf8Support.UNKNOWN, capa=False)
    world.clock.skip(days * DAY)
    world.add(mail(1))
    assert (await world.poll()).deleted == 0
    assert (await world.poll()).deleted == deleted


@pytest.mark.parametrize(("capa", "named"), [(CapaUse.NEVER, True), (CapaUse.LOGIN, False)])
@trio_test
async def test_a_message_that_is_sent_in_utf8_mode_only(
    world: World, autojump_clock: MockClock, capa: CapaUse, named: bool
) -> None:
    world.become(utf8=Utf8Support.REFUSED)
    if capa is CapaUse.LOGIN:
        world.become(capa=False)
    world.add(RAW, mail(1))
    result = await world.poll(capa=capa)
    assert (result.code, result.messages, result.deleted) == (ExitCode.TEMPORARY, 1, 1)
    (skipped,) = [each for each in world.of(MessageSkipped) if each.failure]
    assert "it is in UTF-8, and UTF-8 mode is off" in skipped.reason
    assert ('remove capa="never"' in skipped.reason) == named
    assert world.troubles() == {}


# --- a server that breaks at CAPA -------------------------------------------------------------------------------------


@trio_test
async def test_a_server_that_hangs_up_at_capa_is_asked_once_a_day(world: World, autojump_clock: MockClock) -> None:
    world.faults.hang_up.add("CAPA")
    for day in range(3):
        world.add(mail(day))
        assert (await world.poll()).deleted == 1
        assert warnings(world) == [BROKE, FOR_A_DAY]
        connections = world.server.connections
        world.clock.skip(DAY - 3600)
        assert (await world.poll()).ok
        assert warnings(world) == []
        assert world.server.connections == connections + 1
        assert "CAPA" not in world.verbs(-1)
        world.clock.skip(3600)
    world.server.faults = Faults()
    assert (await world.poll()).ok
    assert "CAPA" in world.verbs(-1)
    remembered = history(world)
    assert remembered is not None
    assert (remembered.broke, remembered.time > 0) == (0.0, True)


@trio_test
async def test_a_connection_that_capa_broke_is_closed_once(world: World, autojump_clock: MockClock) -> None:
    world.faults.hang_up.add("CAPA")

    def watch(engine: object, fact: object) -> None:
        if isinstance(fact, Noted) and "once more without CAPA" in fact.text:
            world.faults.stall.add("GREETING")

    assert (await world.poll(watch=watch)).code is ExitCode.TEMPORARY
    assert world.transcript().count("event Disconnect") == 2
    assert world.server.connections == 2


@trio_test
async def test_only_a_login_proves_that_capa_was_the_reason(world: World, autojump_clock: MockClock) -> None:
    world.faults.hang_up |= {"CAPA", "STAT"}
    world.drop.password = "another"
    assert (await world.poll()).code is ExitCode.LOGIN
    assert warnings(world) == [BROKE]
    assert history(world) is None
    world.faults.hang_up |= {"USER"}
    assert (await world.poll()).code is ExitCode.TEMPORARY
    assert history(world) is None


@trio_test
async def test_a_server_that_has_answered_capa_always_gets_capa(world: World, autojump_clock: MockClock) -> None:
    assert (await world.poll()).ok
    world.clock.skip(1000 * DAY)
    world.faults.hang_up.add("CAPA")
    result = await world.poll()
    assert result.code is ExitCode.TEMPORARY
    assert 'set capa="never"' in result.advice
    assert world.verbs(-1) == ["CAPA"]
    assert (await world.poll(**NEVER)).ok


@trio_test
async def test_capa_never_asks_nothing(world: World, autojump_clock: MockClock) -> None:
    world.become(pipelining=True, login_delay=0.0)
    world.add(*map(mail, range(20)))
    assert (await world.poll(**NEVER)).deleted == 20
    assert "CAPA" not in world.verbs()
    assert world.server.pipelined == 0


@trio_test
async def test_without_capa_auto_takes_no_weaker_mechanism_than_before(world: World, autojump_clock: MockClock) -> None:
    """The server no longer lists SCRAM, or an attacker hides it: the digest of APOP is not sent either."""
    auto = replace(world.client().server, auth_types=(AuthType.AUTO,))
    assert (await world.poll(server=auto)).ok
    assert (await world.poll(server=auto, **NEVER)).ok
    assert "AUTH SCRAM-SHA-256" in world.said(-1)
    world.faults.answers["AUTH"] = b"-ERR no such mechanism\r\n"
    assert (await world.poll(server=auto, **NEVER)).code is ExitCode.LOGIN
    assert world.verbs(-1) == ["AUTH"]


# --- memory -----------------------------------------------------------------------------------------------------------


@trio_test
async def test_a_fleet_writes_only_what_has_changed(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[CapaHistory] = []
    note = Journal.note_capa

    def note_and_count(journal: Journal, each: CapaHistory) -> None:
        written.append(each)
        note(journal, each)

    monkeypatch.setattr(Journal, "note_capa", note_and_count)
    fleet = Fleet(tmp_path)
    hosts = ["a.example.test", "b.example.test"]
    async with fleet.running(*(fleet.client(name, frequency=60.0) for name in "ab")):
        await trio.sleep(200.0)
        assert sorted(each.host for each in written) == hosts
        fleet.clock.skip(DAY)
        await trio.sleep(200.0)
        assert sorted(each.host for each in written[2:]) == hosts
    assert len(fleet.starts("a")) > 5
    assert all(each.mechanisms and not each.utf8 for each in written)


@pytest.mark.parametrize("row", ["LOGIN-DELAY 900 USER", "EXPIRE 30 USER", "EXPIRE NEVER user"])
@trio_test
async def test_what_may_differ_for_the_user_is_asked_again(world: World, autojump_clock: MockClock, row: str) -> None:
    world.faults.answers["CAPA"] = f"+OK\r\nUIDL\r\nPIPELINING\r\n{row}\r\n.\r\n".encode()
    assert (await world.poll()).ok
    assert world.verbs()[:4] == ["CAPA", "USER", "PASS", "CAPA"]


# --- several commands at once -----------------------------------------------------------------------------------------


@trio_test
async def test_pipelining_can_be_switched_off(world: World, autojump_clock: MockClock) -> None:
    world.become(utf8=Utf8Support.SUBSTITUTED)
    world.add(*map(mail, range(20)))
    assert (await world.poll(pipelining=False)).deleted == 20
    assert world.server.pipelined == 0
    assert world.verbs().count("CAPA") == 1


@trio_test
async def test_pipelining_that_is_listed_after_the_login_is_used(world: World, autojump_clock: MockClock) -> None:
    world.become(pipelining=False)
    world.add(*map(mail, range(20)))

    world.faults.answers["CAPA"] = b"+OK\r\nUIDL\r\n.\r\n"

    def later(octets: bytes) -> None:
        if octets.startswith(b"STAT"):
            world.faults.answers["CAPA"] = b"+OK\r\nUIDL\r\nPIPELINING\r\n.\r\n"

    world.on_send = later
    assert (await world.poll()).deleted == 20
    assert world.verbs()[:7] == ["CAPA", "USER", "PASS", "STAT", "CAPA", "UIDL", "LIST"]
    assert world.server.pipelined > 19


FAULTS = [fault for fault in PipelineFault if fault is not PipelineFault.NONE]


@pytest.mark.parametrize("fault", FAULTS)
@trio_test
async def test_a_pipelined_login_may_reveal_missing_support(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, fault: PipelineFault
) -> None:
    """To this machine, and under TLS, USER and PASS go together."""
    monkeypatch.setattr(MemoryStream, "remote_ip", "127.0.0.1")
    world.faults.pipeline = fault
    world.add(mail(1))
    sent: list[bytes] = []
    world.on_send = sent.append
    result = await world.poll()
    assert (result.error, result.deleted) == ("", 1)
    assert sent[1].startswith(b"USER alice\r\nPASS ")
    assert world.server.connections == 2
    assert warnings(world)[1].startswith("pop.example.test:110 offers PIPELINING and cannot do it")
    pipelined = world.server.pipelined
    assert (await world.poll()).ok
    assert world.server.pipelined == pipelined


@pytest.mark.parametrize(("name", "password"), [(USER, "another"), ("nobody", None)])
@pytest.mark.parametrize("hang_up", [True, False])
@trio_test
async def test_a_login_that_is_sent_at_once_and_rejected(
    world: World,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    password: str | None,
    hang_up: bool,
) -> None:
    """The password is sent once, even if the server closes the connection after the first refusal."""
    monkeypatch.setattr(MemoryStream, "remote_ip", "127.0.0.1")
    world.drop.password = password or "unknown"
    if password is None:
        world.faults.answers["USER"] = b"-ERR no such user\r\n"
        if hang_up:
            world.faults.hang_up.add("PASS")
    result = await world.poll(server=replace(world.client().server, username=name))
    assert result.code is ExitCode.LOGIN
    assert world.server.connections == 1
    assert ("and then: " in result.error) == (hang_up and password is None)


@trio_test
async def test_records_stay_unsettled_where_nothing_may_be_deleted(world: World, autojump_clock: MockClock) -> None:
    world.become(utf8=Utf8Support.SUBSTITUTED)
    world.faults.answers["UTF8"] = b"-ERR no\r\n"
    world.add(mail(1))
    await world.poll()
    (record,) = world.records()
    assert (record.state, record.delete_pending, record.quit_confirmed) == (MessageState.DELIVERED, False, False)
