"""One connection: deadlines, transcript and errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.support.clock import FakeClock
from tests.support.making import server_settings
from tests.support.streams import MemoryStream, Peer, memory_connection
from tui_popretr.bus import Bus
from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import ConnectionCut, PlaintextInjected, ProtocolViolation, ServerStalled, TlsFailed
from tui_popretr.facts import Dialogue, DialogueLine, SessionId, TlsDetails
from tui_popretr.net.tls import TlsSession
from tui_popretr.pop3 import (
    Auth,
    BodyEnd,
    Capa,
    Command,
    Continuation,
    Dele,
    List,
    Listing,
    Noop,
    Pass,
    Quit,
    Reply,
    Retr,
    SaslResponse,
    Stat,
    Stls,
    Uidl,
    User,
)
from tui_popretr.sasl import Response
from tui_popretr.secret import Secret
from tui_popretr.session.connection import LISTED, PROGRESS, Pop3Connection

TIMEOUT = 30.0
DETAILS = TlsDetails("TLSv1.3", "TLS_AES_256_GCM_SHA384", "pop.example.test", "Test CA", ("pop.example.test",), None)


class Connection:
    """A Pop3Connection, its peer, and the transcript."""

    def __init__(
        self, *, bodies: bool = False, handshake: Callable[[TlsSession], Awaitable[TlsDetails]] | None = None
    ) -> None:
        self.stream: MemoryStream
        self.stream, end = memory_connection(handshake=handshake)
        self.peer = Peer(end)
        self.bus = Bus()
        self.lines: list[DialogueLine] = []
        self.bus.subscribe_dialogue(self._said)
        self.pop3 = Pop3Connection(
            self.stream, SessionId("a", 1), self.bus, FakeClock(), timeout=TIMEOUT, bodies=bodies
        )

    def _said(self, dialogue: Dialogue) -> None:
        self.lines += dialogue.lines()

    def transcript(self) -> list[str]:
        return [f"{line.direction.value} {line.text}" for line in self.lines]

    async def ask(self, *commands: Command, reply: Sequence[str]) -> list[Reply | Listing | Continuation]:
        """Call the commands; the peer says these lines when it has heard them all."""
        ends: list[Reply | Listing | Continuation] = []
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                ends.extend(await self.pop3.call_all(commands))

            nursery.start_soon(call)
            for _ in commands:
                await self.peer.heard()
            await self.peer.say(*reply)
        return ends

    async def log_in(self) -> None:
        """Greeting and login."""
        await greeted(self)
        await self.ask(User("me"), reply=["+OK"])
        await self.ask(Pass(Secret("hush")), reply=["+OK"])
        self.lines.clear()


async def greeted(connection: Connection) -> Connection:
    await connection.peer.say("+OK ready")
    await connection.pop3.greeting()
    return connection


async def fails_after(seconds: float, awaitable: Awaitable[object]) -> None:
    """Expect a stall after exactly so long."""
    started = trio.current_time()
    with pytest.raises(ServerStalled):
        await awaitable
    assert trio.current_time() - started == pytest.approx(seconds)


# --- the dialogue -----------------------------------------------------------------------------------------------------


@trio_test
async def test_calls_are_answered_in_order(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    (stat,) = await connection.ask(Stat(), reply=["+OK 2 320"])
    assert isinstance(stat, Reply)
    assert stat.text == b"2 320"
    replies = ["+OK", "1 u1", "2 u2", ".", "-ERR no", "+OK"]
    uidl, listing, dele = await connection.ask(Uidl(), List(), Dele(1), reply=replies)
    assert isinstance(uidl, Listing)
    assert uidl.data == b"1 u1\r\n2 u2\r\n"
    assert isinstance(listing, Reply)
    assert not listing.ok
    assert isinstance(dele, Reply)
    assert dele.ok


@trio_test
async def test_commands_that_are_called_together_leave_in_one_piece(autojump_clock: MockClock) -> None:
    sent: list[bytes] = []
    stream, end = memory_connection(on_send=sent.append)
    pop3 = Pop3Connection(stream, SessionId("a", 1), Bus(), FakeClock(), timeout=TIMEOUT)
    await Peer(end).say("+OK")
    await pop3.greeting()
    await pop3.send([Capa(), User("me")])
    assert sent == [b"CAPA\r\nUSER me\r\n"]


@trio_test
async def test_a_continuation_is_an_answer_too(autojump_clock: MockClock) -> None:
    connection = await greeted(Connection())
    (challenge,) = await connection.ask(Auth("PLAIN"), reply=["+ "])
    assert isinstance(challenge, Continuation)
    (answer,) = await connection.ask(SaslResponse(Response(Secret("\0me\0hush"))), reply=["+OK"])
    assert isinstance(answer, Reply)
    assert answer.ok


# --- deadlines --------------------------------------------------------------------------------------------------------


@trio_test
async def test_a_server_that_does_not_greet_is_stalled(autojump_clock: MockClock) -> None:
    await fails_after(TIMEOUT, Connection().pop3.greeting())


@trio_test
async def test_a_command_that_is_not_answered_is_a_stall(autojump_clock: MockClock) -> None:
    connection = await greeted(Connection())
    await trio.sleep(100)  # our own time costs the server nothing
    await fails_after(TIMEOUT, connection.pop3.call(Capa()))


@trio_test
async def test_a_line_that_comes_octet_by_octet_buys_no_time(autojump_clock: MockClock) -> None:
    connection = Connection()

    async def drip() -> None:
        with pytest.raises(trio.BrokenResourceError):
            for octet in b"+OK " + 500 * b".":
                await connection.peer.send(bytes([octet]))
                await trio.sleep(1.0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        await fails_after(TIMEOUT, connection.pop3.greeting())
        connection.pop3.close()


@pytest.mark.parametrize(
    ("octets", "seconds", "stalls"),
    [(PROGRESS, TIMEOUT - 1, False), (PROGRESS // 4, TIMEOUT / 4 - 1, False), (PROGRESS // 4, TIMEOUT / 4 + 1, True)],
)
@trio_test
async def test_4_kib_of_a_message_renew_the_time(
    octets: int, seconds: float, stalls: bool, autojump_clock: MockClock
) -> None:
    connection = Connection()
    await connection.log_in()

    async def trickle() -> None:
        assert await connection.peer.heard() == "RETR 1"
        await connection.peer.send(b"+OK\r\n")
        try:
            for _ in range(20):
                await trio.sleep(seconds)
                await connection.peer.send(octets * b"x")
            await connection.peer.send(b"\r\n.\r\n")
        except trio.BrokenResourceError:
            assert stalls

    async def read() -> int:
        await connection.pop3.send([Retr(1)])
        while True:
            for event in await connection.pop3.events():
                if isinstance(event, BodyEnd):
                    return event.octets

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trickle)
        if stalls:
            await fails_after(TIMEOUT, read())
        else:
            assert await read() == 20 * octets + 2
        connection.pop3.close()


# --- messages whose lines end in LF alone -----------------------------------------------------------------------------


async def retrieve(pop3: Pop3Connection) -> tuple[int, float]:
    """Return a message's octets, and the seconds until it was complete."""
    began = trio.current_time()
    await pop3.send([Retr(1)])
    while True:
        for event in await pop3.events():
            if isinstance(event, BodyEnd):
                return event.octets, trio.current_time() - began


async def retrieved(connection: Connection, *said: bytes | float) -> tuple[int, float]:
    """The same for a server that answers RETR with this, and then is silent for this number of seconds."""

    async def play() -> None:
        assert await connection.peer.heard() == "RETR 1"
        for each in said:
            if isinstance(each, float):
                await trio.sleep(each)
            else:
                await connection.peer.send(each)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(play)
        return await retrieve(connection.pop3)
    raise AssertionError("unreachable")


BARE = b"+OK\na: b\n\n..c\n"


@pytest.mark.parametrize("end", [b".\n", b".\r\n"])
@trio_test
async def test_silence_ends_a_message_of_bare_line_feeds(end: bytes, autojump_clock: MockClock) -> None:
    connection = Connection(bodies=True)
    await connection.log_in()
    octets, seconds = await retrieved(connection, BARE + end)
    assert (octets, seconds) == (9, 2.0)
    assert connection.transcript()[2:] == ["<< a: b", "<< ", "<< .c", "event Received MessageBody octets=9"]
    (reply,) = await connection.ask(Noop(), reply=["+OK"])
    assert isinstance(reply, Reply)


@trio_test
async def test_what_comes_soon_goes_on_with_the_message(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    said = (BARE + b".\n", 1.9, b"more\n.\r\n", 1.9, b"\r\n.\r\n")
    octets, seconds = await retrieved(connection, *said)
    assert (octets, round(seconds, 3)) == (22, 3.8)


@pytest.mark.parametrize("said", [b"+OK\na\r\nb\n.\n", b"+OK\na\n.\nb", b"+OK\na\n.", b"+OK\na\n.\r"])
@trio_test
async def test_silence_anywhere_else_is_a_stall(said: bytes, autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    await connection.peer.send(said)
    await fails_after(TIMEOUT, retrieve(connection.pop3))


@trio_test
async def test_a_message_that_may_end_buys_no_time(autojump_clock: MockClock) -> None:
    """Octets that come before the silence is complete do not renew the time until they are progress."""
    connection = Connection()
    await connection.log_in()

    async def drip() -> None:
        with pytest.raises(trio.BrokenResourceError):
            for _ in range(100):
                await connection.peer.send(b"a\n.\n")
                await trio.sleep(1.0)

    async with trio.open_nursery() as nursery:
        await connection.pop3.send([Retr(1)])
        await connection.peer.send(b"+OK\n")
        await connection.pop3.events()
        nursery.start_soon(drip)
        with pytest.raises(ServerStalled):
            while True:
                await connection.pop3.events()
        assert trio.current_time() < 2 * TIMEOUT
        connection.pop3.close()


@trio_test
async def test_an_end_of_the_connection_is_no_silence(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    await connection.pop3.send([Retr(1)])
    await connection.peer.send(BARE + b".\n")
    await connection.peer.close()
    with pytest.raises(ConnectionCut):
        while True:
            await connection.pop3.events()


@trio_test
async def test_each_reply_renews_the_time(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()

    async def slow() -> None:
        for _ in range(5):
            await connection.peer.heard()
            await trio.sleep(TIMEOUT - 1)
            await connection.peer.say("+OK")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(slow)
        assert len(await connection.pop3.call_all([Noop()] * 5)) == 5


@trio_test
async def test_an_idle_server_has_all_the_time_until_something_is_sent(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    connection.pop3.idle()
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            await fails_after(1000.0 + TIMEOUT, connection.pop3.events())

        nursery.start_soon(read)
        await trio.sleep(1000.0)
        await connection.pop3.send([Noop()])


@trio_test
async def test_what_is_sent_behind_a_command_does_not_renew_its_time(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    await connection.pop3.send([Noop()])
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            await fails_after(TIMEOUT, connection.pop3.events())

        nursery.start_soon(read)
        await trio.sleep(TIMEOUT - 1)
        await connection.pop3.send([Noop()])


@trio_test
async def test_a_server_that_takes_no_data_is_stalled(autojump_clock: MockClock) -> None:
    class Full(MemoryStream):
        async def send_all(self, data: bytes) -> None:
            await trio.sleep(inf)

    connection = Connection()
    await connection.log_in()
    connection.pop3.stream = Full(connection.stream._end)
    await fails_after(TIMEOUT, connection.pop3.send([Noop()]))


@trio_test
async def test_the_timeout_may_be_shortened_for_a_farewell(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    connection.pop3.timeout = 1.0
    await fails_after(1.0, connection.pop3.call(Quit()))


# --- errors in our words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commands", "octets"), [([], b""), ([Stat()], b""), ([Stat()], b"+OK 1"), ([Retr(1)], b"+OK\r\nFrom: x")]
)
@trio_test
async def test_an_end_in_the_middle_is_a_cut(commands: list[Command], octets: bytes, autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    await connection.pop3.send(commands)
    await connection.peer.send(octets)
    await connection.peer.close()
    with pytest.raises(ConnectionCut):
        for _ in range(3):
            await connection.pop3.events()


@trio_test
async def test_an_end_instead_of_a_greeting_is_a_cut(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.peer.close()
    with pytest.raises(ConnectionCut, match="greeting"):
        await connection.pop3.greeting()


@trio_test
async def test_eof_after_quits_reply_is_a_cut_for_a_waiting_task(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.log_in()
    (reply,) = await connection.ask(Quit(), reply=["+OK bye"])
    await connection.peer.close()
    assert isinstance(reply, Reply)
    assert reply.ok
    with pytest.raises(ConnectionCut):
        await connection.pop3.events()


@trio_test
async def test_a_broken_connection_is_a_cut(autojump_clock: MockClock) -> None:
    connection = await greeted(Connection())
    connection.stream.close()
    with pytest.raises(ConnectionCut):
        await connection.pop3.call(Capa())


@pytest.mark.parametrize("octets", [b"HTTP/1.1 400 Bad Request\r\n", b"+OK" + 2000 * b"x", b"\x16\x03\x01\x00\xee"])
@trio_test
async def test_what_is_not_pop3_is_a_violation(octets: bytes, autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.peer.send(octets)
    with pytest.raises(ProtocolViolation):
        await connection.pop3.greeting()


@trio_test
async def test_a_violation_behind_a_reply_is_told_at_the_next_step(autojump_clock: MockClock) -> None:
    connection = await greeted(Connection())
    await connection.ask(Capa(), reply=["-ERR no", "+OK nobody asked for this"])
    with pytest.raises(ProtocolViolation):
        await connection.pop3.call(Capa())
    with pytest.raises(ProtocolViolation):
        await connection.pop3.events()


# --- TLS --------------------------------------------------------------------------------------------------------------


async def succeed(session: TlsSession) -> TlsDetails:
    await trio.lowlevel.checkpoint()
    return DETAILS


@pytest.mark.parametrize("latent", [False, True])
@trio_test
async def test_the_dialogue_goes_on_under_tls(latent: bool, autojump_clock: MockClock) -> None:
    connection = Connection(handshake=succeed)
    server = server_settings(tls=TlsPolicy(latent=latent))
    if latent:
        await greeted(connection)
        await connection.ask(Stls(), reply=["+OK begin"])
    await connection.pop3.start_tls(server)
    assert connection.pop3.tls is DETAILS
    if not latent:
        await greeted(connection)
    await connection.ask(Capa(), reply=["-ERR no"])


@pytest.mark.parametrize(
    ("configured", "timeout", "patience"),
    [
        (7.0, 30.0, 7.0),
        (300.0, 30.0, 300.0),
        (None, 5.0, 5.0),  # the shorter of two minutes and the task's timeout
        (None, 120.0, 120.0),
        (None, 240.0, 120.0),
    ],
)
@trio_test
async def test_how_long_a_handshake_may_take(
    configured: float | None, timeout: float, patience: float, autojump_clock: MockClock
) -> None:
    async def never(session: TlsSession) -> TlsDetails:
        await trio.sleep(inf)
        return DETAILS

    connection = Connection(handshake=never)
    connection.pop3.timeout = timeout
    with pytest.raises(TlsFailed, match=f"took longer than {patience:g} s"):
        await connection.pop3.start_tls(server_settings(tls=TlsPolicy(handshake_timeout=configured)))
    assert trio.current_time() == pytest.approx(patience)


@trio_test
async def test_the_time_of_the_handshake_is_not_the_greetings(autojump_clock: MockClock) -> None:
    async def slow(session: TlsSession) -> TlsDetails:
        await trio.sleep(TIMEOUT + 10)
        return DETAILS

    connection = Connection(handshake=slow)
    await connection.pop3.start_tls(server_settings(tls=TlsPolicy(handshake_timeout=TIMEOUT + 20)))
    await fails_after(TIMEOUT, connection.pop3.greeting())


@trio_test
async def test_octets_in_clear_behind_stls_end_it_before_the_handshake(autojump_clock: MockClock) -> None:
    connection = await greeted(Connection(handshake=succeed))
    await connection.ask(Stls(), reply=["+OK begin", "+OK injected"])
    with pytest.raises(PlaintextInjected):
        await connection.pop3.start_tls(server_settings(tls=TlsPolicy(latent=True)))


# --- the transcript ---------------------------------------------------------------------------------------------------


@trio_test
async def test_both_sides_are_in_the_transcript(autojump_clock: MockClock) -> None:
    connection = await greeted(Connection())
    await connection.ask(Capa(), reply=["+OK", "TOP", "UIDL", "."])
    connection.pop3.event("a remark")
    connection.pop3.close()
    assert connection.transcript() == [
        "<< +OK ready",
        ">> CAPA",
        "<< +OK",
        "<< TOP",
        "<< UIDL",
        "<< .",
        "event a remark",
        "event Disconnect",
    ]
    assert {line.session for line in connection.lines} == {SessionId("a", 1)}
    assert connection.stream.closed


@trio_test
async def test_echoed_secrets_never_appear_in_the_transcript(autojump_clock: MockClock) -> None:
    connection = await greeted(Connection())
    hide = Secret("hush")
    response = Response(Secret("\0me\0hush"), hide=hide)
    await connection.ask(User("me"), reply=["+OK"])
    await connection.ask(Pass(hide), reply=["-ERR hush is wrong"])
    await connection.ask(Auth("PLAIN"), reply=["+ "])
    await connection.ask(SaslResponse(response), reply=["-ERR \0me\0hush AG1lAGh1c2g= hush"])
    await connection.ask(Auth("PLAIN", response), reply=["-ERR aHVzaA== AG1lAGh1c2g="])
    text = "\n".join(connection.transcript())
    for secret in ("hush", "aHVzaA", "AG1lAGh1c2g"):
        assert secret not in text
    assert ">> PASS ****" in connection.transcript()


@trio_test
async def test_server_text_is_neutralised(autojump_clock: MockClock) -> None:
    connection = Connection()
    await connection.peer.say("+OK \x1b[2J\x07 ready")
    await connection.pop3.greeting()
    assert connection.transcript() == ["<< +OK \\x1b[2J\\x07 ready"]


async def transcript_of_a_message(connection: Connection, *pieces: bytes) -> list[str]:
    """The transcript of a message that comes in these pieces, without its first two lines."""
    await connection.log_in()
    await connection.pop3.send([Retr(1)])
    await connection.peer.say("+OK message follows")
    for piece in pieces:
        await connection.pop3.events()
        await connection.peer.send(piece)
    while not connection.pop3.machine.idle:
        await connection.pop3.events()
    lines = connection.transcript()
    assert lines[:2] == [">> RETR 1", "<< +OK message follows"]
    return lines[2:]


MESSAGE = b"Subject: x\r\n\r\n..dot\r\n.\r\n"
SIZE = "event Received MessageBody octets=20"


@trio_test
async def test_of_a_message_the_size_is_shown(autojump_clock: MockClock) -> None:
    assert await transcript_of_a_message(Connection(), MESSAGE) == [SIZE]


@pytest.mark.parametrize("cut", [5, 11, 12, 13, 14, 16, 20])
@trio_test
async def test_with_fulltrans_all_of_it_is(cut: int, autojump_clock: MockClock) -> None:
    lines = await transcript_of_a_message(Connection(bodies=True), MESSAGE[:cut], MESSAGE[cut:])
    assert lines == ["<< Subject: x", "<< ", "<< .dot", SIZE]


@trio_test
async def test_with_fulltrans_a_line_is_shown_up_to_a_bound(autojump_clock: MockClock) -> None:
    pieces = [b"\x1b" + 50_000 * b"x" for _ in range(3)]
    connection = Connection(bodies=True)
    lines = await transcript_of_a_message(connection, *pieces, b"\r\n.\r\n")
    assert lines == ["<< \\x1b" + 1020 * "x" + "…", "event Received MessageBody octets=150005"]


@pytest.mark.parametrize("bodies", [False, True])
@trio_test
async def test_of_a_long_listing_the_first_rows_are_shown(bodies: bool, autojump_clock: MockClock) -> None:
    connection = Connection(bodies=bodies)
    await connection.log_in()
    rows = [f"{number} 1000" for number in range(1, LISTED + 51)]
    await connection.ask(List(), reply=["+OK", *rows, "."])
    shown = [f"<< {row}" for row in (rows if bodies else rows[:LISTED])]
    rest = [] if bodies else ["event 50 more rows"]
    assert connection.transcript() == [">> LIST", "<< +OK", *shown, *rest, "<< ."]


@trio_test
async def test_nothing_is_made_for_nobody(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection()
    connection.bus.unsubscribe(connection._said)

    def made(*arguments: object) -> None:
        raise AssertionError("a line of dialogue was made")

    monkeypatch.setattr("tui_popretr.session.connection.Dialogue", made)
    await greeted(connection)
    await connection.ask(Capa(), reply=["+OK", "TOP", "."])
    connection.pop3.close()


# --- what a server repeats --------------------------------------------------------------------------------------------


@trio_test
async def test_a_password_in_rows_and_in_a_body_is_not_shown() -> None:
    connection = Connection(bodies=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.peer.say, "+OK")
        await connection.pop3.greeting()
    await connection.ask(Pass(Secret("hunter2")), reply=["+OK"])
    (listing,) = await connection.ask(Uidl(), reply=["+OK", "1 hunter2", "2 b", "."])
    assert isinstance(listing, Listing)
    assert listing.data == b"1 hunter2\r\n2 b\r\n"  # it is still the message's name
    await connection.ask(Capa(), reply=["+OK", "X-YOU-SAID hunter2", "."])
    await connection.pop3.send([Retr(1)])
    await connection.peer.say("+OK", "Your password is hunter2.", ".")
    while not any(isinstance(event, BodyEnd) for event in await connection.pop3.events()):
        pass
    shown = connection.transcript()
    assert [line for line in shown if "****" in line] == [
        ">> PASS ****",
        "<< 1 ****",
        "<< X-YOU-SAID ****",
        "<< Your password is ****.",
    ]
    assert "hunter2" not in "".join(shown)


# --- exchanges --------------------------------------------------------------------------------------------------------


def exchanged(connection: Connection) -> list[tuple[str, int | None, float | None, int | None]]:
    """The lines of the transcript with what they are in their exchanges."""
    return [(line.text, line.exchange, line.milliseconds, line.octets) for line in connection.lines]


@trio_test
async def test_each_line_knows_its_exchange(autojump_clock: MockClock) -> None:
    connection = Connection()

    async def answer() -> None:
        await trio.sleep(0.5)
        await connection.peer.say("+OK ready")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        await connection.pop3.greeting()
    await connection.ask(User("me"), reply=["+OK"])
    await connection.ask(Pass(Secret("hush")), reply=["+OK"])
    assert exchanged(connection) == [
        ("+OK ready", 0, 500.0, None),
        ("USER me", 1, None, None),
        ("+OK", 1, 0.0, None),
        ("PASS ****", 2, None, None),
        ("+OK", 2, 0.0, None),
    ]
    connection.lines.clear()
    await connection.pop3.send([List(), Retr(2), Dele(7)])
    await trio.sleep(0.25)
    await connection.peer.say("+OK", "1 120")
    await connection.pop3.events()
    await trio.sleep(0.25)
    await connection.peer.say(".", "+OK", "text", ".", "-ERR no")
    await connection.pop3.events()
    connection.pop3.close()
    assert exchanged(connection) == [
        ("LIST", 3, None, None),
        ("RETR 2", 4, None, None),
        ("DELE 7", 5, None, None),
        ("+OK", 3, 250.0, None),
        ("1 120", 3, None, None),
        (".", 3, None, 7),
        ("+OK", 4, 500.0, None),
        ("Received MessageBody octets=6", 4, None, 6),
        ("-ERR no", 5, 500.0, None),
        ("Disconnect", None, None, None),
    ]


@trio_test
async def test_the_answer_to_a_challenge_is_of_its_auth(autojump_clock: MockClock) -> None:
    connection = await greeted(Connection())
    await connection.ask(Auth("PLAIN"), reply=["+ "])
    await connection.ask(SaslResponse(Response(Secret("\0me\0hush"))), reply=["+OK"])
    await connection.ask(Stat(), reply=["+OK 0 0"])
    assert [each[1] for each in exchanged(connection)] == [0, 1, 1, 1, 1, 2, 2]


@trio_test
async def test_commands_are_counted_without_a_transcript(autojump_clock: MockClock) -> None:
    connection = Connection()
    connection.bus.unsubscribe(connection._said)
    await connection.log_in()
    connection.bus.subscribe_dialogue(connection._said)
    await connection.ask(Stat(), reply=["+OK 0 0"])
    assert exchanged(connection) == [("STAT", 3, None, None), ("+OK 0 0", 3, 0.0, None)]


@trio_test
async def test_the_rows_of_messages_belong_to_their_retr(autojump_clock: MockClock) -> None:
    connection = Connection(bodies=True)
    await connection.log_in()
    await connection.pop3.send([Retr(1), Dele(1)])
    await connection.peer.say("+OK", "one", "two", ".", "+OK")
    await connection.pop3.events()
    assert [each[:2] for each in exchanged(connection)[2:]] == [
        ("+OK", 3),
        ("one", 3),
        ("two", 3),
        ("Received MessageBody octets=10", 3),
        ("+OK", 4),
    ]
