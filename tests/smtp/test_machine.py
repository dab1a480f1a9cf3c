"""The dialogue: which replies come of which bytes, and what may be sent when."""

from __future__ import annotations

import re

import pytest

from tests.smtp.dialogue import ENVELOPE, SENDER, A, B, feed, in_content, in_state, ready
from tests.support.pieces import cuts
from tui_popretr.sasl import begin
from tui_popretr.secret import Secret
from tui_popretr.smtp import (
    END,
    MAX_LINE,
    MAX_LINES,
    Auth,
    Authentication,
    Command,
    Data,
    EarlyReply,
    Ehlo,
    EndOfMessage,
    Extensions,
    Helo,
    InjectedPlaintext,
    Lhlo,
    LocalProtocolError,
    Machine,
    Mail,
    Noop,
    Quit,
    Rcpt,
    RemoteProtocolError,
    Reply,
    Rset,
    SaslCancel,
    StartTls,
    State,
    UnexpectedEof,
    UnsolicitedReply,
)
from tui_popretr.smtp.states import SENDING

# --- replies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"220 mx\r\n", Reply(220, (b"mx",))),
        (b"220 mx\n", Reply(220, (b"mx",))),
        (b"220\r\n", Reply(220, (b"",))),
        (b"220-mx\r\n220-\r\n220  \thi \r\n", Reply(220, (b"mx", b"", b"hi"))),
        (b"554-a\r\n220 b\r\n", Reply(220, (b"a", b"b"))),
    ],
)
def test_a_reply_is_the_same_however_it_is_cut(octets: bytes, expected: Reply) -> None:
    for pieces in cuts(octets):
        machine = Machine()
        assert feed(machine, pieces) == ([expected], None)
        assert (machine.state, machine.buffered) == (State.CONNECTED, 0)


@pytest.mark.parametrize(
    "octets",
    [b"hello\r\n", b"\r\n", b"2x0 hi\r\n", b"999 hi\r\n", b"150 hi\r\n", b"2500 hi\r\n", b"+OK hi\r\n", b"220\thi\r\n"],
)
def test_a_line_that_is_no_reply(octets: bytes) -> None:
    for pieces in cuts(octets):
        machine = Machine()
        replies, error = feed(machine, pieces)
        assert replies == []
        assert str(error).startswith("gave an answer that is not an SMTP reply: ")
        assert machine.state is State.BROKEN


def test_replies_before_an_error_are_returned() -> None:
    machine = Machine()
    assert machine.receive(b"220 hi\r\nhello\r\n") == [Reply(220, (b"hi",))]
    for attempt in (machine.check, lambda: machine.receive(b""), lambda: machine.send(Noop()), machine.receive_eof):
        with pytest.raises(UnsolicitedReply, match="more answers than it was asked for: hello"):
            attempt()


def test_the_longest_line_and_reply() -> None:
    longest = b"220-" + b"x" * (MAX_LINE - 6) + b"\r\n"
    many = b"220-x\r\n" * (MAX_LINES - 2)
    assert feed(Machine(), [longest + many + b"220 end\r\n"])[1] is None
    assert "endless line" in str(feed(Machine(), [b"220 " + b"x" * (MAX_LINE - 4)])[1])
    assert "endless line" in str(feed(Machine(), [b"220 " + b"x" * MAX_LINE + b"\r\n"])[1])
    assert f"more than {MAX_LINES} lines" in str(feed(Machine(), [b"220-x\r\n" * (MAX_LINES + 1)])[1])


def test_replies_answer_commands_in_order() -> None:
    machine = ready("PIPELINING")
    assert machine.send_many(ENVELOPE) == (
        f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{A}>\r\nRCPT TO:<{B}>\r\nDATA\r\n".encode()
    )
    for pieces in cuts(b"250 a\r\n250-b\r\n250 c\r\n550 d\r\n354 e\r\n"):
        machine = ready("PIPELINING")
        machine.send_many(ENVELOPE)
        assert machine.outstanding == 4
        replies, error = feed(machine, pieces)
        assert [(reply.command, reply.code) for reply in replies] == list(
            zip(ENVELOPE, [250, 250, 550, 354], strict=True)
        )
        assert (error, machine.state, machine.outstanding) == (None, State.CONTENT, 0)


def test_a_reply_keeps_its_lines_for_a_transcript() -> None:
    (reply,) = Machine().receive(b"220-mx \r\n220 hi\r\n")
    assert reply.received == (b"220-mx ", b"220 hi")
    assert str(reply) == "220 mx hi"


@pytest.mark.parametrize("octets", [b"250 ok\r\n", b"garbage\r\n", b"421 timeout\r\n"])
def test_a_reply_to_nothing(octets: bytes) -> None:
    for pieces in cuts(octets):
        machine = ready()
        replies, error = feed(machine, pieces)
        assert (replies, type(error)) == ([], UnsolicitedReply)


@pytest.mark.parametrize("octets", [b"2", b"250", b"250 ok\r"])
def test_a_begun_reply_is_not_the_next_commands(octets: bytes) -> None:
    machine = ready()
    assert machine.receive(octets) == []
    assert not machine.idle
    with pytest.raises(UnsolicitedReply):
        machine.send(Noop())
    assert machine.state is State.BROKEN


def test_a_refused_greeting_allows_quit_only() -> None:
    machine = Machine()
    machine.receive(b"554 no\r\n")
    with pytest.raises(LocalProtocolError, match="refused by the greeting"):
        machine.send(Ehlo("x"))
    assert machine.send(Quit()) == b"QUIT\r\n"


@pytest.mark.parametrize("state", [each for each in State if each not in (State.CLOSED, State.BROKEN, State.READY)])
def test_421_ends_the_session(state: State) -> None:
    for pieces in cuts(b"421 bye\r\n250 ok\r\ngarbage"):
        machine = in_state(state)
        due = machine.outstanding or state in (State.GREETING, State.CONTENT)
        replies, error = feed(machine, pieces)
        if state in (State.CHALLENGED, State.TLS_HANDSHAKE) or not due:
            assert (replies, machine.state) == ([], State.BROKEN)
            continue
        assert ([each.code for each in replies], error) == ([421], None)
        assert (machine.state, machine.outstanding, machine.buffered) == (State.CLOSED, 0, 0)
        machine.receive_eof()


@pytest.mark.parametrize("state", [each for each in State if each is not State.CLOSED])
def test_the_end_of_the_connection(state: State) -> None:
    machine = in_state(state)
    with pytest.raises(RemoteProtocolError if state is State.BROKEN else UnexpectedEof):
        machine.receive_eof()
    assert machine.state is State.BROKEN


# --- what may be sent -------------------------------------------------------------------------------------------------

COMMANDS: list[Command] = [
    Ehlo("x"), Lhlo("x"), Helo("x"), StartTls(), Auth("PLAIN"), SaslCancel(), Mail(A), Rcpt(A), Data(), Rset(), Noop(),
    Quit(), EndOfMessage(),
]  # fmt: skip


@pytest.mark.parametrize("state", [each for each in State if each is not State.BROKEN])
def test_only_what_the_table_allows_can_be_sent(state: State) -> None:
    for command in COMMANDS:
        machine = in_state(state)
        before = machine.outstanding
        following = SENDING[state].get(type(command))
        if following is None or isinstance(command, EndOfMessage):
            with pytest.raises(LocalProtocolError, match="cannot be sent now"):
                machine.send(command)
            assert (machine.state, machine.outstanding) == (state, before)
        else:
            assert machine.send(command).endswith(b"\r\n")
            assert machine.state is following


@pytest.mark.parametrize("state", [each for each in State if each not in (State.CONTENT, State.BROKEN)])
def test_no_content_outside_of_a_message(state: State) -> None:
    machine = in_state(state)
    with pytest.raises(LocalProtocolError, match="no message can be sent"):
        machine.content(b"x")
    with pytest.raises(LocalProtocolError, match="no message can be ended"):
        machine.end()
    assert machine.state is state


@pytest.mark.parametrize(
    ("state", "reply", "following"),
    [
        (State.STARTING_TLS, b"220 go\r\n", State.TLS_HANDSHAKE),
        (State.STARTING_TLS, b"250 go\r\n", State.READY),
        (State.STARTING_TLS, b"454 later\r\n", State.READY),
        (State.LOGGING_IN, b"235 in\r\n", State.READY),
        (State.LOGGING_IN, b"535 no\r\n", State.READY),
        (State.LOGGING_IN, b"334 PDE+\r\n", State.CHALLENGED),
        (State.CANCELLING, b"501 cancelled\r\n", State.READY),
        (State.ENDING, b"250 taken\r\n", State.READY),
        (State.ENDING, b"554 spam\r\n", State.READY),
        (State.LEAVING, b"221 bye\r\n", State.CLOSED),
        (State.LEAVING, b"500 what\r\n", State.CLOSED),
    ],
)
def test_the_state_after_a_reply(state: State, reply: bytes, following: State) -> None:
    for pieces in cuts(reply):
        machine = in_state(state)
        replies, error = feed(machine, pieces)
        assert (len(replies), error, machine.state) == (1, None, following)


@pytest.mark.parametrize("octets", [b"235 in\r\n", b"334 PDE+\r\n"])
def test_a_cancelled_login_can_only_fail(octets: bytes) -> None:
    machine = in_state(State.CANCELLING)
    with pytest.raises(RemoteProtocolError, match="a login that was cancelled"):
        machine.receive(octets)


def test_octets_in_clear_behind_starttls() -> None:
    for pieces in cuts(b"220 go\r\n250 injected\r\n"):
        machine = in_state(State.STARTING_TLS)
        replies, error = feed(machine, pieces)
        assert (len(replies), type(error)) == (1, InjectedPlaintext)
        with pytest.raises(InjectedPlaintext):
            machine.tls_started()


def test_tls_forgets_the_extensions() -> None:
    machine = ready("STARTTLS", "AUTH PLAIN")
    machine.send(StartTls())
    machine.receive(b"220 go\r\n")
    machine.tls_started()
    assert (machine.state, machine.extensions) == (State.CONNECTED, Extensions())
    with pytest.raises(LocalProtocolError):
        machine.tls_started()


# --- a message --------------------------------------------------------------------------------------------------------


def test_the_message_is_encoded_and_ended() -> None:
    machine = in_content()
    assert machine.content(b"a\n") + machine.content(b".b") == b"a\r\n..b"
    assert machine.end() == b"\r\n" + END
    assert (machine.state, machine.outstanding) == (State.ENDING, 1)
    (verdict,) = machine.receive(b"250 taken\r\n")
    assert (verdict.command, machine.state) == (EndOfMessage(), State.READY)


def test_each_message_is_encoded_by_itself() -> None:
    machine = in_content()
    machine.content(b"no line end")
    machine.end()
    machine.receive(b"250 taken\r\n")
    machine.send_many(ENVELOPE)
    machine.receive(b"250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n")
    assert machine.content(b".") + machine.end() == b"..\r\n" + END


def test_lmtp_has_a_verdict_for_each_accepted_recipient() -> None:
    for pieces in cuts(b"250-a\r\n250 b\r\n550 c\r\n"):
        machine = in_content(lmtp=True)
        machine.end()
        assert machine.outstanding == 2
        replies, error = feed(machine, pieces)
        assert [(reply.command, reply.code) for reply in replies] == [(EndOfMessage(A), 250), (EndOfMessage(B), 550)]
        assert (error, machine.state) == (None, State.READY)


def test_421_for_one_recipient_of_lmtp() -> None:
    for pieces in cuts(b"421 a\r\n250 b\r\n250 more\r\n"):
        machine = in_content(lmtp=True)
        machine.end()
        replies, error = feed(machine, pieces)
        assert [reply.code for reply in replies] == [421, 250]
        assert (error, machine.state) == (None, State.CLOSED)


@pytest.mark.parametrize(("verdict", "lmtp"), [(b"250 taken", False), (b"554 spam", False), (b"250 taken", True)])
def test_the_next_message_begins_with_the_end(verdict: bytes, lmtp: bool) -> None:
    verdicts = verdict + b"\r\n" + b"452 full\r\n" * lmtp
    for pieces in cuts(verdicts + b"250 a\r\n250 b\r\n550 c\r\n354 d\r\n"):
        machine = in_content(lmtp=lmtp)
        assert machine.end() + machine.send_many(ENVELOPE) == b"\r\n" + END + ready().send_many(ENVELOPE)
        replies, error = feed(machine, pieces)
        assert [reply.command for reply in replies[-4:]] == ENVELOPE
        assert all(isinstance(reply.command, EndOfMessage) for reply in replies[:-4])
        assert (len(replies), error, machine.state) == (5 + lmtp, None, State.CONTENT)
        machine.end()
        assert machine.outstanding == 1, "of the two recipients one was accepted"


def test_421_for_one_recipient_before_the_next_message() -> None:
    for pieces in cuts(b"421 a\r\n250 b\r\n250 more\r\n"):
        machine = in_content(lmtp=True)
        machine.end()
        machine.send_many(ENVELOPE)
        replies, error = feed(machine, pieces)
        assert [reply.code for reply in replies] == [421, 250]
        assert (error, machine.state, machine.outstanding) == (None, State.CLOSED, 0)


def test_a_message_without_a_recipient_has_no_end() -> None:
    machine = ready()
    machine.send_many(ENVELOPE)
    machine.receive(b"250 ok\r\n550 no\r\n550 no\r\n354 go\r\n")
    assert machine.state is State.CONTENT
    with pytest.raises(LocalProtocolError, match="no message can be ended"):
        machine.end()


@pytest.mark.parametrize("octets", [b"552 enough\r\n", b"250 taken\r\n"])
def test_a_reply_in_the_middle_of_a_message(octets: bytes) -> None:
    for pieces in cuts(octets):
        machine = in_content()
        machine.content(b"x")
        replies, error = feed(machine, pieces)
        assert [(reply.command, reply.code) for reply in replies] == [(None, int(octets[:3]))]
        assert type(error) is EarlyReply
        with pytest.raises(EarlyReply):
            machine.content(b"y")
        with pytest.raises(EarlyReply):
            machine.end()


def test_a_refused_envelope_needs_rset() -> None:
    machine = ready()
    machine.send(Mail(SENDER))
    machine.receive(b"550 no\r\n")
    with pytest.raises(LocalProtocolError):
        machine.send(Mail(SENDER))
    machine.send(Rset())
    machine.receive(b"250 ok\r\n")
    assert machine.send(Mail(SENDER)) == f"MAIL FROM:<{SENDER}>\r\n".encode()


def test_a_refused_data_ends_in_the_envelope() -> None:
    machine = in_state(State.ASKING)
    machine.receive(b"250 ok\r\n" * 3 + b"554 no\r\n")
    assert machine.state is State.ENVELOPE


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_secrets_are_starred_out() -> None:
    machine = ready()
    machine.send(Authentication(begin("PLAIN", "me", Secret("geheim"))).start())
    (reply,) = machine.receive(b"535 you said geheim AG1lAGdlaGVpbQ==\r\n")
    assert reply.lines == (b"you said **** ****",)
    assert reply.received == (b"535 you said **** ****",)
    machine.send(Noop())
    (reply,) = machine.receive(b"250 geheim\r\n")
    assert reply.lines == (b"****",)


def test_a_short_secret_is_starred_out_during_the_login_only() -> None:
    machine = ready()
    machine.send(Authentication(begin("PLAIN", "me", Secret("xyz"))).start())
    assert machine.receive(b"535 xyz\r\n")[0].lines == (b"****",)
    machine.send(Noop())
    assert machine.receive(b"250 xyz\r\n")[0].lines == (b"xyz",)


@pytest.mark.parametrize("password", ["2", "3", "235", "35 "])
def test_a_password_that_occurs_in_the_code(password: str) -> None:
    machine = ready()
    machine.send(Authentication(begin("PLAIN", "me", Secret(password))).start())
    (reply,) = machine.receive(b"235 welcome\r\n")
    assert (reply.code, reply.lines, machine.state) == (235, (b"****",), State.READY)


def test_an_error_does_not_quote_a_secret() -> None:
    machine = ready()
    machine.send(Authentication(begin("PLAIN", "me", Secret("geheim"))).start())
    with pytest.raises(RemoteProtocolError, match=re.escape("SMTP reply: no ****")):
        machine.receive(b"no geheim\r\n")
