"""The dialogue: which responses come of which bytes, and what may be sent when."""

from __future__ import annotations

import pytest

from tests.imap.dialogue import INBOX, PASSWORD, appending, feed, greeted, in_state, ready
from tests.support.pieces import cuts
from tui_popretr.imap import (
    MAX_LINE,
    MAX_RESPONSE,
    AddLabels,
    Append,
    Authenticate,
    Authentication,
    Capabilities,
    Capability,
    Close,
    Code,
    Command,
    Condition,
    Continuation,
    Create,
    EarlyCompletion,
    Examine,
    Exists,
    Fetch,
    FetchData,
    InjectedPlaintext,
    ListFolders,
    LocalProtocolError,
    Login,
    Logout,
    Machine,
    Message,
    Noop,
    OtherData,
    RemoteProtocolError,
    Response,
    SaslCancel,
    SearchHeader,
    Select,
    StartTls,
    State,
    Status,
    StatusOf,
    Subscribe,
    Text,
    UnexpectedEof,
    Unselect,
)
from tui_popretr.imap.states import SENDING
from tui_popretr.sasl import begin
from tui_popretr.secret import STARS, Secret

# --- the greeting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "condition", "state"),
    [
        (b"* OK hi\r\n", Condition.OK, State.NOT_AUTHENTICATED),
        (b"* ok\n", Condition.OK, State.NOT_AUTHENTICATED),
        (b"* PREAUTH hi\r\n", Condition.PREAUTH, State.AUTHENTICATED),
        (b"* BYE no\r\n", Condition.BYE, State.DISMISSED),
    ],
)
def test_the_greeting(octets: bytes, condition: Condition, state: State) -> None:
    for pieces in cuts(octets):
        machine = Machine()
        (greeting,), error = feed(machine, pieces)
        assert isinstance(greeting, Status)
        assert (greeting.condition, error, machine.state, machine.buffered) == (condition, None, state, 0)


@pytest.mark.parametrize(
    "octets",
    [
        b"+OK POP3\r\n",
        b"220 mx\r\n",
        b"* NO hi\r\n",
        b"* 3 EXISTS\r\n",
        b"a1 OK hi\r\n",
        b"\r\n",
        b"* CAPABILITY X\r\n",
    ],
)
def test_a_greeting_of_another_protocol(octets: bytes) -> None:
    for pieces in cuts(octets):
        machine = Machine()
        responses, error = feed(machine, pieces)
        assert (responses, machine.state) == ([], State.BROKEN)
        assert str(error).startswith("did not greet as an IMAP server: ")


def test_capabilities_come_from_anywhere() -> None:
    machine = greeted("STARTTLS")
    assert machine.capabilities == Capabilities(("IMAP4REV1", "STARTTLS"))
    machine.send(Capability())
    machine.receive(b"* CAPABILITY IMAP4rev1 X\r\na1 OK\r\n")
    assert machine.capabilities == Capabilities(("IMAP4REV1", "X"))
    machine.receive(b"* OK [CAPABILITY IMAP4rev1 Y] new\r\n")
    assert machine.capabilities == Capabilities(("IMAP4REV1", "Y"))


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        (b"a1 OK in\r\n", None),
        (b"a1 OK [CAPABILITY IMAP4rev1 B] in\r\n", Capabilities(("IMAP4REV1", "B"))),
        (b"* CAPABILITY IMAP4rev1 B\r\na1 OK in\r\n", Capabilities(("IMAP4REV1", "B"))),
    ],
)
def test_a_login_forgets_the_capabilities(answer: bytes, known: Capabilities | None) -> None:
    machine = greeted("A")
    machine.send(Login("me", Secret("x")))
    machine.receive(answer)
    assert machine.capabilities == known


# --- answers ----------------------------------------------------------------------------------------------------------


def test_answers_belong_to_the_tags() -> None:
    for pieces in cuts(b"a3 NO [X a] three\r\n* 2 EXISTS\r\na2 OK two\r\n"):
        machine = ready()
        first, second = Noop(), Create(INBOX)
        assert machine.send(first) + machine.send(second) == b'a2 NOOP\r\na3 CREATE "INBOX"\r\n'
        assert machine.outstanding == 2
        responses, error = feed(machine, pieces)
        assert responses == [
            Status(Condition.NO, b"three", Code("X", b"a")),
            Exists(2, b"* 2 EXISTS"),
            Status(Condition.OK, b"two"),
        ]
        assert [each.command for each in responses if isinstance(each, Status)] == [second, first]
        assert (error, machine.outstanding, machine.idle) == (None, 0, True)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"a9 OK done\r\n", "answered what was not asked: a9 OK done"),
        (b"a1 OK again\r\n", "answered what was not asked"),
        (b"A2 OK done\r\n", "not an IMAP response"),
        (b"hello\r\n", "not an IMAP response: hello"),
        (b"\r\n", "not an IMAP response: "),
        (b"a2 BYE\r\n", "not an IMAP response"),
        (b"a2 done\r\n", "not an IMAP response"),
        (b"* \r\n", "not an IMAP response"),
        (b"* (x)\r\n", "not an IMAP response"),
        (b"+ go\r\n", "continues what was not begun"),
        (b"+OK done\r\n", "not an IMAP response"),
        (b"* PREAUTH hi\r\n", "greeted twice"),
        (b"* 1 FETCH UID\r\n", "FETCH data that are not valid"),
        (b"* 1 FETCH (UID)\r\n", "FETCH data that are not valid"),
        (b'* 1 FETCH ("UID" 1)\r\n', "FETCH data that are not valid"),
        (b"* 1 FETCH (UID 1\r\n", "FETCH data that are not valid"),
        (b"* SEARCH x\r\n", "SEARCH data that are not valid"),
        (b"* SEARCH 0\r\n", "SEARCH data that are not valid"),
        (b"* SEARCH 4294967296\r\n", "SEARCH data that are not valid"),
        (b"* LIST () x\r\n", "LIST data that are not valid"),
        (b"* STATUS x\r\n", "STATUS data that are not valid"),
        (b"* LIST () NIL {3}\r\nabc\r\n", "a literal where none is expected"),
        (b"* SEARCH {3}\r\n", "a literal where none is expected"),
        (b"* 1 FETCH (X {99999999}\r\n", "a literal of 99999999 octets"),
    ],
)
def test_what_no_server_should_say(octets: bytes, words: str) -> None:
    for pieces in cuts(octets):
        machine = ready()
        machine.send(Noop())
        responses, error = feed(machine, pieces)
        assert (responses, machine.state, machine.buffered) == ([], State.BROKEN, 0)
        assert words in str(error)


def test_responses_before_an_error_are_returned() -> None:
    machine = ready()
    assert machine.receive(b"* 1 EXISTS\r\nhello\r\n") == [Exists(1)] or machine.state is State.BROKEN
    for attempt in (machine.check, lambda: machine.receive(b""), lambda: machine.send(Noop()), machine.receive_eof):
        with pytest.raises(RemoteProtocolError, match="not an IMAP response: hello"):
            attempt()


@pytest.mark.parametrize(
    "text",
    [b"* OK see {3}", b"* NO {3}", b"* BAD {3}", b"* X-MINE {", b"* FLAGS (\\Seen)", b"* 5 RECENT", b"* 1 EXPUNGE"],
)
def test_a_text_that_looks_like_a_literal(text: bytes) -> None:
    machine = ready()
    (response,) = machine.receive(text + b"\r\n")
    assert isinstance(response, (Status, OtherData))
    assert response.line == text


def test_literals_in_fetch() -> None:
    octets = b'* 7 FETCH (UID 9 A {4}\r\na\r\nb B ~{0}\r\n C "{1}" D (NIL x))\r\n* 1 EXISTS\r\n'
    for pieces in cuts(octets):
        machine = ready()
        (fetch, exists), error = feed(machine, pieces)
        assert error is None
        assert isinstance(fetch, Fetch)
        assert fetch.attributes == {"UID": b"9", "A": b"a\r\nb", "B": b"", "C": b"{1}", "D": (None, b"x")}
        assert (fetch.sequence, fetch.number("UID"), fetch.number("C"), fetch.number("Z")) == (7, 9, None, None)
        assert fetch.line == b'* 7 FETCH (UID 9 A {4}  B {0}  C "{1}" D (NIL x))'
        assert exists == Exists(1)


def test_the_longest_line_and_response() -> None:
    longest = b"* OK " + b"x" * (MAX_LINE - 7) + b"\r\n"
    assert feed(ready(), [longest])[1] is None
    assert "endless line" in str(feed(ready(), [longest[:-2] + b"xx"])[1])
    room = MAX_RESPONSE - len(b"* 1 FETCH (X {1048576})")
    head = b"* 1 FETCH (X {%d}\r\n" % room
    assert feed(ready(), [head + b"y" * room + b")\r\n"])[1] is None
    assert "more than 1024 KiB" in str(feed(ready(), [head + b"y" * room + b"))\r\n"])[1])
    lines = b" X {1}\r\ny" * (MAX_RESPONSE // 4)
    assert "more than 1024 KiB" in str(feed(ready(), [b"* 1 FETCH (" + lines])[1])


# --- the states -------------------------------------------------------------------------------------------------------

MESSAGE = Message(3)
COMMANDS: list[Command] = [
    Capability(), StartTls(), Noop(), Logout(), Unselect(), Close(), Login("me", Secret("x")), Authenticate("PLAIN"),
    SaslCancel(), Examine(INBOX), Select(INBOX), Create(INBOX), Subscribe(INBOX), StatusOf(INBOX), ListFolders(INBOX),
    SearchHeader("Message-ID", b"<x>"), FetchData((1,), ("UID",)), AddLabels((1,), (Text(b"x"),)),
    Append(INBOX, (MESSAGE,)),
]  # fmt: skip


@pytest.mark.parametrize("state", [each for each in State if each is not State.BROKEN])
def test_only_what_the_table_allows_can_be_sent(state: State) -> None:
    for command in COMMANDS:
        machine = in_state(state)
        before = machine.outstanding
        following = SENDING[state].get(type(command))
        if following is None:
            with pytest.raises(LocalProtocolError, match="cannot be sent now"):
                machine.send(command)
            assert (machine.state, machine.outstanding) == (state, before)
        else:
            assert machine.send(command).endswith(b"\r\n")
            assert machine.state is following


def test_a_command_that_changes_the_state_is_sent_alone() -> None:
    machine = ready()
    machine.send(Noop())
    for command in (Examine(INBOX), Logout()):
        with pytest.raises(LocalProtocolError):
            machine.send(command)
    machine.receive(b"a2 OK\r\n")
    machine.send(Examine(INBOX))
    with pytest.raises(LocalProtocolError):
        machine.send(Noop())


@pytest.mark.parametrize(
    ("state", "answer", "following"),
    [
        (State.STARTING_TLS, b"a1 OK\r\n", State.TLS_HANDSHAKE),
        (State.STARTING_TLS, b"a1 NO\r\n", State.NOT_AUTHENTICATED),
        (State.STARTING_TLS, b"a1 BAD\r\n", State.NOT_AUTHENTICATED),
        (State.LOGGING_IN, b"a1 OK\r\n", State.AUTHENTICATED),
        (State.LOGGING_IN, b"a1 NO\r\n", State.NOT_AUTHENTICATED),
        (State.LOGGING_IN, b"+ PDE+\r\n", State.CHALLENGED),
        (State.CANCELLING, b"a1 BAD cancelled\r\n", State.NOT_AUTHENTICATED),
        (State.SELECTING, b"a2 OK\r\n", State.SELECTED),
        (State.SELECTING, b"a2 NO\r\n", State.AUTHENTICATED),
        (State.DESELECTING, b"a3 OK\r\n", State.AUTHENTICATED),
        (State.DESELECTING, b"a3 NO\r\n", State.SELECTED),
        (State.LEAVING, b"a2 OK\r\n", State.CLOSED),
        (State.LEAVING, b"* BYE\r\n", State.LEAVING),
        (State.LEAVING, b"a2 BAD\r\n", State.CLOSED),
        (State.SELECTED, b"* BYE\r\n", State.DISMISSED),
        (State.CHALLENGED, b"* BYE\r\n", State.DISMISSED),
    ],
)
def test_the_state_after_an_answer(state: State, answer: bytes, following: State) -> None:
    for pieces in cuts(answer):
        machine = in_state(state)
        responses, error = feed(machine, pieces)
        assert (len(responses), error, machine.state) == (1, None, following)


@pytest.mark.parametrize(
    ("state", "octets", "words"),
    [
        (State.CANCELLING, b"a1 OK in\r\n", "a login that was cancelled"),
        (State.CANCELLING, b"+ PDE+\r\n", "a login that was cancelled"),
        (State.CHALLENGED, b"a1 OK in\r\n", "before it had the response"),
        (State.CHALLENGED, b"a1 NO no\r\n", "before it had the response"),
        (State.LOGGING_IN, b"a1 OK in\r\na1 OK in\r\n", "what was not asked"),
    ],
)
def test_an_invalid_end_of_a_login(state: State, octets: bytes, words: str) -> None:
    for pieces in cuts(octets):
        _, error = feed(in_state(state), pieces)
        assert words in str(error)


def test_octets_in_clear_behind_starttls() -> None:
    for pieces in cuts(b"a1 OK go\r\n* CAPABILITY X\r\n"):
        machine = in_state(State.STARTING_TLS)
        responses, error = feed(machine, pieces)
        assert (len(responses), type(error)) == (1, InjectedPlaintext)
        with pytest.raises(InjectedPlaintext):
            machine.tls_started()


def test_tls_forgets_the_capabilities() -> None:
    machine = in_state(State.TLS_HANDSHAKE)
    assert in_state(State.NOT_AUTHENTICATED).capabilities is not None
    machine.tls_started()
    assert (machine.state, machine.capabilities) == (State.NOT_AUTHENTICATED, None)
    with pytest.raises(LocalProtocolError):
        machine.tls_started()


@pytest.mark.parametrize("state", list(State))
def test_the_end_of_the_connection(state: State) -> None:
    machine = in_state(state)
    if state in (State.CLOSED, State.DISMISSED):
        machine.receive_eof()
        assert machine.state is State.CLOSED
        return
    with pytest.raises(RemoteProtocolError if state is State.BROKEN else UnexpectedEof):
        machine.receive_eof()
    assert machine.state is State.BROKEN


def test_the_end_after_bye_with_a_command_unanswered() -> None:
    machine = ready()
    machine.send(Noop())
    machine.receive(b"* BYE\r\n")
    with pytest.raises(UnexpectedEof):
        machine.receive_eof()


def test_octets_after_the_session_are_ignored() -> None:
    machine = in_state(State.CLOSED)
    assert machine.receive(b"garbage\r\n\xff") == []
    assert machine.buffered == 0


# --- literals ---------------------------------------------------------------------------------------------------------


def test_a_literal_waits_for_the_server() -> None:
    machine = greeted()
    assert machine.send(Login("mé", Secret("ü"))) == b"a1 LOGIN {3}\r\n"
    for text, expected in ((b"+ go\r\n", b"m\xc3\xa9 {2}\r\n"), (b"+\r\n", b"\xc3\xbc\r\n")):
        assert machine.waiting
        with pytest.raises(LocalProtocolError):
            machine.go_on()
        (go,) = machine.receive(text)
        assert isinstance(go, Continuation)
        assert machine.go_on() == expected
    assert not machine.waiting
    machine.receive(b"a1 OK in\r\n")
    assert machine.state is State.AUTHENTICATED


def test_a_command_that_is_refused_before_its_literal() -> None:
    machine = greeted()
    machine.send(Login("mé", Secret("ü")))
    machine.receive(b"a1 BAD no literals\r\n")
    assert (machine.waiting, machine.state) == (False, State.NOT_AUTHENTICATED)
    assert machine.send(Noop()) == b"a2 NOOP\r\n"


@pytest.mark.parametrize(
    ("capability", "size", "head"),
    [
        ("X", 1, b"{1}"),
        ("LITERAL+", 5000, b"{5000+}"),
        ("LITERAL-", 4096, b"{4096+}"),
        ("LITERAL-", 4097, b"{4097}"),
        ("IMAP4rev2", 4096, b"{4096+}"),
    ],
)
def test_literals_that_do_not_wait(capability: str, size: int, head: bytes) -> None:
    machine = ready(capability)
    assert machine.send(Append(INBOX, (Message(size),))) == b'a2 APPEND "INBOX" ' + head + b"\r\n"
    assert machine.waiting == (b"+" not in head)


# --- APPEND -----------------------------------------------------------------------------------------------------------


def test_a_message_is_sent_in_pieces() -> None:
    machine = appending(5, capabilities=())
    with pytest.raises(LocalProtocolError):
        machine.content(b"x")
    machine.receive(b"+ go\r\n")
    assert machine.go_on() == b""
    assert machine.content(b"ab\r") + machine.content(b"\nc") == b"ab\r\nc"
    with pytest.raises(LocalProtocolError):
        machine.content(b"x")
    with pytest.raises(LocalProtocolError):
        machine.next_message()
    with pytest.raises(LocalProtocolError):
        machine.send(Noop())
    assert machine.end() == b"\r\n"
    assert machine.unsent is None
    (status,) = machine.receive(b"a2 OK [APPENDUID 7 9] done\r\n")
    assert isinstance(status, Status)
    assert status.code is not None
    assert status.code.appended is not None
    assert (status.code.appended.validity, list(status.code.appended.uids)) == (7, [9])


def test_an_append_cannot_end_in_a_message() -> None:
    machine = appending(3)
    machine.content(b"ab")
    with pytest.raises(LocalProtocolError):
        machine.end()
    with pytest.raises(LocalProtocolError):
        machine.content(b"cd")


def test_several_messages_in_one_append() -> None:
    machine = appending(1, 2, capabilities=("MULTIAPPEND",))
    machine.receive(b"+\r\n")
    machine.content(b"a")
    with pytest.raises(LocalProtocolError):
        machine.end()
    assert machine.next_message() == b" {2}\r\n"
    assert machine.waiting
    machine.receive(b"+\r\n")
    machine.content(b"bc")
    with pytest.raises(LocalProtocolError):
        machine.next_message()
    assert machine.end() == b"\r\n"


def test_several_appends_in_flight() -> None:
    machine = appending(1)
    machine.content(b"a")
    machine.end()
    machine.send(second := Append(INBOX, (Message(2),)))
    responses = machine.receive(b"a2 NO full\r\n")
    machine.content(b"bc")
    machine.end()
    responses += machine.receive(b"a3 OK\r\n")
    assert [each.ok for each in responses if isinstance(each, Status)] == [False, True]
    assert isinstance(responses[1], Status)
    assert responses[1].command is second


@pytest.mark.parametrize("before", [b"", b"ab"])
def test_an_early_ok_is_no_delivery(before: bytes) -> None:
    machine = appending(2)
    machine.content(before)
    with pytest.raises(EarlyCompletion, match="accepted APPEND before it had all of it: OK"):
        machine.receive(b"a2 OK done\r\n")
    with pytest.raises(EarlyCompletion):
        machine.end()


def test_an_early_ok_while_a_literal_waits() -> None:
    with pytest.raises(EarlyCompletion):
        appending(2, capabilities=()).receive(b"a2 OK done\r\n")


def test_a_refusal_while_a_literal_waits() -> None:
    machine = appending(2, capabilities=())
    machine.receive(b"a2 NO [TRYCREATE] no folder\r\n")
    assert (machine.unsent, machine.waiting, machine.idle) == (None, False, True)


def test_a_refusal_in_the_middle_of_a_literal() -> None:
    """The server takes the rest of what was announced, whatever that is."""
    machine = appending(4, 9)
    machine.content(b"ab")
    machine.receive(b"a2 NO full\r\n")
    assert machine.refused
    with pytest.raises(LocalProtocolError):
        machine.send(Noop())
    machine.content(b"cd")
    with pytest.raises(LocalProtocolError):
        machine.next_message()
    assert machine.end() == b"\r\n"
    assert (machine.outstanding, machine.idle) == (0, True)
    machine.send(Noop())


# --- secrets ----------------------------------------------------------------------------------------------------------


def shown(responses: list[Response]) -> str:
    return " ".join(f"{each!r} {each.line!r}" for each in responses)


def test_an_echoed_password_is_starred_out() -> None:
    machine = greeted()
    machine.send(Login("me", Secret(PASSWORD)))
    texts = f"* OK {PASSWORD}\r\na1 NO [X-{PASSWORD} {PASSWORD}] {PASSWORD} is wrong\r\n".encode()
    responses = machine.receive(texts)
    assert PASSWORD not in shown(responses).lower()
    assert str(responses[1]) == f"NO {STARS} is wrong"


def test_an_escaped_password_is_starred_out() -> None:
    machine = greeted()
    machine.send(Login("me", Secret('gehe"im')))
    responses = machine.receive(b'* OK gehe\\"im\r\n* OK gehe"im\r\n')
    assert "gehe" not in shown(responses)


def test_a_short_password_may_be_any_word_after_the_login() -> None:
    machine = greeted()
    machine.send(Login("me", Secret("OK")))
    (status,) = machine.receive(b"a1 OK in OK\r\n")
    assert isinstance(status, Status)
    assert (status.text, status.line) == (f"in {STARS}".encode(), f"a1 {STARS} in {STARS}".encode())
    (later,) = machine.receive(b"* OK again\r\n")
    assert later.line == b"* OK again"


def test_an_error_repeats_no_password() -> None:
    machine = greeted()
    machine.send(Login("me", Secret(PASSWORD)))
    with pytest.raises(RemoteProtocolError) as caught:
        machine.receive(f"what is {PASSWORD}?\r\n".encode())
    assert str(caught.value).endswith(f"what is {STARS}?")


def test_a_challenge_is_not_shown() -> None:
    machine = greeted("SASL-IR")
    authentication = Authentication(begin("LOGIN", "me", Secret(PASSWORD)), initial_response=True)
    assert machine.send(authentication.start()) == b"a1 AUTHENTICATE LOGIN\r\n"
    (challenge,) = machine.receive(b"+ VXNlcm5hbWU6\r\n")
    assert isinstance(challenge, Continuation)
    assert challenge.line == f"+ {STARS}".encode()
    assert machine.send(authentication.answer(challenge)) == b"bWU=\r\n"
    (challenge,) = machine.receive(b"+ UGFzc3dvcmQ6\r\n")
    assert isinstance(challenge, Continuation)
    assert machine.send(authentication.answer(challenge)) == b"Z2VoZWlt\r\n"
    (status,) = machine.receive(b"a1 NO Z2VoZWlt and geheim\r\n")
    assert status.line == f"a1 NO {STARS} and {STARS}".encode()
