"""The commands of a session, and their order."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from trio.testing import MockClock, trio_test

from tests.support.passwords import PASSWORD
from tests.support.popserver import Message
from tests.support.worlds import USER, World, mail
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import CapaUse
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import (
    CapabilitiesLearned,
    DialogueLine,
    Direction,
    Fact,
    LoginSucceeded,
    MaildropListed,
    MessageDelivered,
    MessagesDeleted,
    RetrievalProgressed,
    SessionAdvanced,
    SessionClosed,
    SessionConnected,
    SessionId,
    SessionStarted,
    Stage,
)

ENTRY = ["CAPA", "USER alice", f"PASS {PASSWORD}", "STAT"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@trio_test
async def test_one_command_at_a_time_without_pipelining(world: World, autojump_clock: MockClock) -> None:
    world.become(pipelining=False)
    world.add(mail(1), mail(2))
    assert (await world.poll()).ok
    said = world.said()
    assert said[:6] == [*ENTRY, "UIDL", "LIST"]
    assert sorted(said[6:10]) == ["DELE 1", "DELE 2", "RETR 1", "RETR 2"]
    assert said[10:] == ["QUIT"]
    assert world.server.pipelined == 0
    assert world.arrived() == [mail(1), mail(2)]
    assert world.remaining() == []


@trio_test
async def test_pipelining_where_the_server_has_it(world: World, autojump_clock: MockClock) -> None:
    world.add(*map(mail, range(20)))
    assert (await world.poll()).ok
    said = world.said()
    assert said[:6] == [*ENTRY, "UIDL", "LIST"]
    assert said[6:26] == [f"RETR {number}" for number in range(1, 21)]
    assert said[26:] == [*(f"DELE {number}" for number in range(1, 21)), "QUIT"]
    assert world.server.pipelined >= 2 + 19  # UIDL and LIST behind STAT, and the RETRs behind the first
    assert world.arrived() == [mail(number) for number in range(20)]


@pytest.mark.parametrize("count", [0, 1, 20])
@trio_test
async def test_what_is_sent_at_once(world: World, autojump_clock: MockClock, count: int) -> None:
    """Three times the server is waited for after CAPA, however many messages there are."""
    world.add(*map(mail, range(count)))
    sent: list[bytes] = []
    world.on_send = sent.append
    assert (await world.poll()).deleted == count
    numbers = range(1, count + 1)
    assert sent[3] == b"STAT\r\nUIDL\r\nLIST\r\n"
    assert [octets for octets in sent[4:] if b"RETR" in octets] == [b"".join(b"RETR %d\r\n" % n for n in numbers)] * (
        count > 0
    )
    last = b"".join(octets for octets in sent[4:] if b"RETR" not in octets)
    assert last == b"".join(b"DELE %d\r\n" % n for n in numbers) + b"QUIT\r\n"
    assert sent[-1].endswith(b"QUIT\r\n")
    assert sent[-1].startswith(b"DELE" if count else b"QUIT")


@pytest.mark.parametrize("undurable", [1, 10**6])
@pytest.mark.parametrize("commands", [1, 2, 3, 4, 5])
@trio_test
async def test_the_commands_in_flight_are_bounded(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, commands: int, undurable: int
) -> None:
    """Also when they are all DELEs, while there is more to retrieve: QUIT comes when nothing is left."""
    monkeypatch.setattr("tui_popretr.session.window.MAX_COMMANDS", commands)
    monkeypatch.setattr("tui_popretr.session.window.MAX_UNDURABLE", undurable)
    world.add(*map(mail, range(12)))
    result = await world.poll()
    assert (result.ok, result.messages, result.deleted) == (True, 12, 12)
    assert world.server.connections == 1


@trio_test
async def test_quit_waits_for_what_is_not_durable(world: World, autojump_clock: MockClock) -> None:
    """It goes with the last DELE, and not with one before that."""
    world.disk_seconds = 1.0
    world.add(mail(1))
    late = Message.of(mail(2), "late")
    world.add(late)
    world.faults.delay = 2.0
    sent: list[bytes] = []
    world.on_send = sent.append
    assert (await world.poll()).deleted == 2
    assert [octets for octets in sent if b"QUIT" in octets] == sent[-1:]
    assert b"DELE 1\r\n" in sent
    assert sent[-1] == b"DELE 2\r\nQUIT\r\n"


@trio_test
async def test_the_window_is_bounded(world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is asked for than the window holds: the second of these comes only when the first has arrived."""
    monkeypatch.setattr("tui_popretr.session.window.WINDOW", 1000)
    world.add(mail(1, b"x" * 1500 + b"\r\n"), mail(2))
    sent: list[bytes] = []
    world.on_send = sent.append
    assert (await world.poll()).ok
    assert b"RETR 1\r\n" in sent
    assert len(world.arrived()) == 2


@trio_test
async def test_a_refused_capa_is_harmless(world: World, autojump_clock: MockClock) -> None:
    world.become(capa=False)
    world.add(mail(1))
    assert (await world.poll(capa=CapaUse.STLS)).ok
    assert world.verbs().count("CAPA") == 1
    assert world.server.pipelined == 0
    assert len(world.arrived()) == 1


@pytest.mark.parametrize("listings", ["+OK\r\n.\r\n", "-ERR there is no mail\r\n"])
@pytest.mark.parametrize("pipelining", [True, False])
@trio_test
async def test_an_empty_maildrop(world: World, autojump_clock: MockClock, pipelining: bool, listings: str) -> None:
    """It is listed only where that costs no time, and whatever is answered to that is of no interest."""
    world.become(pipelining=pipelining)
    world.faults.answers |= {"UIDL": listings.encode(), "LIST": listings.encode()}
    result = await world.poll()
    assert (result.code, result.messages, result.deleted) == (ExitCode.OK, 0, 0)
    assert world.said() == [*ENTRY, *(["UIDL", "LIST"] if pipelining else []), "QUIT"]
    (listed,) = world.of(MaildropListed)
    assert (listed.messages, listed.octets, listed.to_retrieve, listed.to_skip, listed.to_delete) == (0, 0, 0, 0, 0)


# --- rejected ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("greeting", "code", "error"),
    [
        pytest.param("-ERR no room at the inn", ExitCode.UNAVAILABLE, "no room at the inn", id="rejected"),
        pytest.param("-ERR [SYS/TEMP] come back later", ExitCode.TEMPORARY, "come back later", id="response code"),
        pytest.param("SSH-2.0-OpenSSH_9.2", ExitCode.PROTOCOL, "SSH-2.0", id="not POP3"),
    ],
)
@trio_test
async def test_a_greeting_that_ends_the_session(
    world: World, autojump_clock: MockClock, greeting: str, code: ExitCode, error: str
) -> None:
    world.faults.answers["GREETING"] = f"{greeting}\r\n".encode()
    result = await world.poll()
    assert result.code is code
    assert error in result.error
    assert world.said() == []


@trio_test
async def test_a_server_that_never_greets(world: World, autojump_clock: MockClock) -> None:
    world.faults.stall.add("GREETING")
    result = await world.poll()
    assert result.code is ExitCode.TEMPORARY
    assert (result.ended - result.started).total_seconds() == pytest.approx(world.timeout, abs=0.1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(b"-ERR what is that?\r\n", "refuses STLS", id="refused"),
        pytest.param(b"+OK begin\r\n+OK logged in as alice\r\n", "in clear", id="injected"),
        pytest.param(None, "refuses STLS", id="missing"),
    ],
)
@trio_test
async def test_no_credentials_without_tls(
    world: World, autojump_clock: MockClock, answer: bytes | None, words: str
) -> None:
    if answer is not None:
        world.faults.answers["STLS"] = answer
    world.add(mail(1))
    client = world.client(tls=TlsPolicy(latent=True))
    result = (await world.run(client)).results["a"]
    assert result.code is ExitCode.PROTOCOL
    assert words in result.error
    assert world.verbs()[0] == "STLS"
    assert not {"USER", "PASS", "AUTH", "APOP"} & set(world.verbs())
    dialogue = b"".join(line.text for line in world.server.dialogue if line.sender == "C")
    for secret in (PASSWORD.encode(), base64.b64encode(PASSWORD.encode()), USER.encode()):
        assert secret not in dialogue
    assert world.remaining() == ["uid-1"]


@trio_test
async def test_a_rejected_login(world: World, autojump_clock: MockClock) -> None:
    world.drop.password = "another"
    result = await world.poll()
    assert result.code is ExitCode.LOGIN
    assert world.verbs()[:3] == ["CAPA", "USER", "PASS"]
    assert "RETR" not in world.verbs()


@trio_test
async def test_a_maildrop_in_use(world: World, autojump_clock: MockClock) -> None:
    world.drop.locked = True
    result = await world.poll()
    assert result.code is ExitCode.TEMPORARY
    assert "another session" in result.error


# --- listings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("verb", "answer", "words"),
    [
        ("STAT", b"-ERR not today\r\n", "STAT"),
        ("STAT", b"+OK plenty\r\n", "STAT"),
        ("STAT", b"+OK 1\r\n", "STAT"),
        ("STAT", b"hello\r\n", "neither +OK nor -ERR"),
        ("LIST", b"-ERR not today\r\n", "LIST"),
        ("LIST", b"+OK\r\n" + b"1 1\r\n" * 100 + b".\r\n", "more than"),
        ("UIDL", b"+OK\r\n1 " + b"x" * 9000 + b"\r\n.\r\n", "overlong row"),
    ],
)
@trio_test
async def test_listings_that_make_no_sense_end_the_session(
    world: World, autojump_clock: MockClock, verb: str, answer: bytes, words: str, pipelining: bool
) -> None:
    world.become(pipelining=pipelining)
    world.add(mail(1))
    world.faults.answers[verb] = answer
    result = await world.poll()
    assert result.code is ExitCode.PROTOCOL, result.error
    assert words in result.error
    assert "internal" not in result.error
    assert not {"RETR", "DELE"} & set(world.verbs())
    assert world.remaining() == ["uid-1"]


@trio_test
async def test_a_refused_uidl_is_no_obstacle(world: World, autojump_clock: MockClock) -> None:
    world.become(uidl=False)
    world.add(mail(1), mail(2))
    assert (await world.poll()).ok
    assert world.arrived() == [mail(1), mail(2)]
    assert world.remaining() == []
    assert [each.uid for each in world.of(MessageDelivered)] == [None, None]


@trio_test
async def test_duplicate_and_invalid_uids_count_as_none(world: World, autojump_clock: MockClock) -> None:
    world.add(*map(mail, range(1, 5)))
    world.faults.answers["UIDL"] = b"+OK\r\n1 same\r\n2 same\r\n3 in\tvalid\r\n4 own\r\n.\r\n"
    assert (await world.poll()).ok
    assert [each.uid for each in world.of(MessageDelivered)] == [None, None, None, "own"]
    assert world.arrived() == [mail(number) for number in range(1, 5)]
    assert world.remaining() == []


@trio_test
async def test_rows_of_list_that_make_no_sense_are_left_out(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1), mail(2))
    world.faults.answers["LIST"] = b"+OK\r\nwhat\r\n2 100\r\n9 100\r\n.\r\n"
    assert (await world.poll()).ok
    assert world.arrived() == [mail(2)]
    assert world.remaining() == ["uid-1"]


# --- facts ------------------------------------------------------------------------------------------------------------


@trio_test
async def test_the_facts_of_a_session(world: World, autojump_clock: MockClock) -> None:
    one = b"Message-ID: <one@example.test>\r\nFrom: Alice <alice@example.test>\r\n\r\n.dot\r\n"
    world.add(one, mail(2))
    result = await world.poll()
    session = SessionId("a", 1)
    told = [fact for fact in world.facts if not isinstance(fact, (DialogueLine, RetrievalProgressed))]
    of_session = [fact for fact in told if getattr(fact, "session", None) == session]
    assert [type(fact) for fact in of_session] == [
        SessionStarted,
        SessionAdvanced,
        SessionConnected,
        SessionAdvanced,
        CapabilitiesLearned,
        LoginSucceeded,
        SessionAdvanced,
        MaildropListed,
        SessionAdvanced,
        MessageDelivered,
        MessageDelivered,
        SessionAdvanced,
        MessagesDeleted,
        SessionClosed,
    ]
    assert [fact.stage for fact in world.of(SessionAdvanced)] == list(Stage)
    assert world.of(LoginSucceeded) == [LoginSucceeded(session, "USERPASS")]
    (connected,) = world.of(SessionConnected)
    assert (connected.local, connected.remote, connected.tls) == ("192.0.2.9:50794", "192.0.2.7:110", None)
    octets = len(one) + len(mail(2))
    assert world.of(MaildropListed) == [MaildropListed(session, 2, octets, 2, octets, 0, 0)]
    first = world.of(MessageDelivered)[0]
    assert (first.number, first.uid, first.octets) == (1, "uid-1", len(one))
    assert (first.message_id, first.sender) == ("one@example.test", "alice@example.test")
    assert first.destination == f"Maildir={world.maildir}"
    assert first.path is not None
    assert first.path.startswith(f"{world.maildir}/new/")
    assert world.arrived() == [one, mail(2)]
    assert world.of(MessagesDeleted) == [MessagesDeleted(session, 2)]
    assert world.of(SessionClosed) == [SessionClosed(session, result)]
    assert (result.code, result.error, result.advice) == (ExitCode.OK, "", "")
    assert (result.messages, result.octets, result.deleted, result.skipped, result.failed) == (2, octets, 2, 0, 0)


@trio_test
async def test_the_transcript_is_in_the_order_of_the_wire(world: World, autojump_clock: MockClock) -> None:
    world.become(pipelining=False)
    world.add(mail(1))
    await world.poll()
    lines = world.transcript()
    octets = len(mail(1))
    for line in (
        "<< +OK POP3",
        "<< +OK capabilities follow",
        "<< +OK 0 messages",
    ):  # said by the server, not by the test
        lines = [line if each.startswith(line) else each for each in lines]
    capabilities = lines.index("<< TOP"), lines.index(">> USER alice")
    del lines[slice(*capabilities)]
    assert lines == [
        "<< +OK POP3",
        ">> CAPA",
        "<< +OK capabilities follow",
        ">> USER alice",
        "<< +OK send the password",
        ">> PASS ****",
        "<< +OK 1 messages",
        ">> STAT",
        f"<< +OK 1 {octets}",
        ">> UIDL",
        "<< +OK",
        "<< 1 uid-1",
        "<< .",
        ">> LIST",
        f"<< +OK 1 ({octets} octets)",
        f"<< 1 {octets}",
        "<< .",
        ">> RETR 1",
        f"<< +OK {octets} octets",
        f"event Received MessageBody octets={octets}",
        ">> DELE 1",
        "<< +OK marked as deleted",
        ">> QUIT",
        "<< +OK good-bye",
        "event Disconnect",
    ]


@trio_test
async def test_the_transcript_shows_bodies_when_asked_to(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1))
    await world.poll(full_transcript=True)
    assert "<< the body of 1" in world.transcript()
    await world.poll(preserve=True)
    assert "<< the body of 1" not in world.transcript()


@trio_test
async def test_the_password_is_in_no_fact_and_no_file(world: World, autojump_clock: MockClock) -> None:
    world.add(mail(1))
    await world.poll(full_transcript=True)
    assert PASSWORD not in repr(world.facts)
    for path in world.folder.rglob("*"):
        assert path.is_dir() or PASSWORD.encode() not in path.read_bytes()


# --- the order that loses nothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pipelining", [True, False])
@trio_test
async def test_a_dele_comes_behind_file_audit_line_and_journal(
    world: World, autojump_clock: MockClock, pipelining: bool
) -> None:
    """At each DELE: the message is in `new`, its audit line is with the system, and the journal says delivered."""
    world.become(pipelining=pipelining)
    world.add(*map(mail, range(1, 31)))
    deleted: list[int] = []

    def look(data: bytes) -> None:
        for line in data.decode().splitlines():
            if line.startswith("DELE "):
                number = int(line[5:])
                assert mail(number) in [path.read_bytes() for path in (world.maildir / "new").iterdir()]
                assert f"MsgID={number}@example.test;" in world.audit_log.read_text()
                assert world.delivered_uids() >= {f"uid-{number}"}
                deleted.append(number)

    world.on_send = look
    told: list[int] = []

    def watch(engine: Engine, fact: Fact) -> None:
        match fact:
            case MessageDelivered(number=number):
                told.append(number)
            case DialogueLine(direction=Direction.OUT, text=text) if text.startswith("DELE"):
                assert int(text[5:]) in told

    assert (await world.poll(watch=watch)).ok
    assert sorted(deleted) == list(range(1, 31))
    assert sum("Downloaded" in line for line in world.audit_log.read_text().splitlines()) == 30


@pytest.mark.parametrize(
    ("answer", "code"),
    [(b"-ERR [SYS/TEMP] later\r\n", ExitCode.TEMPORARY), (b"-ERR not now\r\n", ExitCode.TEMPORARY)],
)
@trio_test
async def test_uidl_refused_for_once_is_no_server_without_uids(
    tmp_path: Path, autojump_clock: MockClock, answer: bytes, code: ExitCode
) -> None:
    """Without UIDs what is owed would come a second time."""
    world = World(tmp_path)
    world.add(mail(1), mail(2))
    assert (await world.poll_with_quit_refused()).messages == 2
    world.faults.answers["UIDL"] = answer
    result = await world.poll()
    assert (result.code, result.messages) == (code, 0)
    assert "UIDL" in result.error or "later" in result.error
    world.faults.answers.clear()
    assert (await world.poll()).deleted == 2
    assert world.arrived() == [mail(1), mail(2)]


@pytest.mark.parametrize("command", ["STAT", "LIST", "UIDL"])
@trio_test
async def test_a_passing_trouble_of_the_server_is_told_as_that(
    tmp_path: Path, autojump_clock: MockClock, command: str
) -> None:
    world = World(tmp_path)
    world.add(mail(1))
    world.faults.answers[command] = b"-ERR [SYS/TEMP] the store is being moved\r\n"
    result = await world.poll()
    assert result.code is ExitCode.TEMPORARY
    assert "the store is being moved" in result.error
