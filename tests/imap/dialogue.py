"""What the tests of the machine share: machines in a given state, and feeding them."""

from __future__ import annotations

from collections.abc import Iterable

from tui_popretr.imap import (
    Append,
    Authenticate,
    Close,
    Examine,
    Login,
    Logout,
    Machine,
    Message,
    RemoteProtocolError,
    Response,
    SaslCancel,
    StartTls,
    State,
    Text,
)
from tui_popretr.secret import Secret

INBOX = Text(b"INBOX")
PASSWORD = "geheim"


def greeted(*capabilities: str) -> Machine:
    """Return a machine that is not logged in."""
    machine = Machine()
    machine.receive(f"* OK [CAPABILITY {' '.join(('IMAP4rev1', *capabilities))}] hi\r\n".encode())
    return machine


def ready(*capabilities: str) -> Machine:
    """Return a machine that is logged in; its next tag is a2."""
    machine = greeted()
    machine.send(Login("me", Secret(PASSWORD)))
    machine.receive(f"a1 OK [CAPABILITY {' '.join(('IMAP4rev1', *capabilities))}] in\r\n".encode())
    return machine


def appending(*sizes: int, capabilities: Iterable[str] = ("LITERAL+",)) -> Machine:
    """Return a machine that has sent an APPEND, with the tag a2, up to its first literal."""
    machine = ready(*capabilities)
    machine.send(Append(INBOX, tuple(map(Message, sizes))))
    return machine


def in_state(state: State) -> Machine:
    """Return a machine in any state, brought there by a dialogue. Its last tag is a1 or a2."""
    machine = ready()
    match state:
        case State.GREETING:
            machine = Machine()
        case State.NOT_AUTHENTICATED:
            machine = greeted()
        case State.STARTING_TLS | State.TLS_HANDSHAKE:
            machine = greeted()
            machine.send(StartTls())
            machine.receive(b"a1 OK go\r\n" if state is State.TLS_HANDSHAKE else b"")
        case State.LOGGING_IN | State.CHALLENGED | State.CANCELLING:
            machine = greeted()
            machine.send(Authenticate("LOGIN"))
            machine.receive(b"" if state is State.LOGGING_IN else b"+ PDE+\r\n")
            if state is State.CANCELLING:
                machine.send(SaslCancel())
        case State.SELECTING | State.SELECTED | State.DESELECTING:
            machine.send(Examine(INBOX))
            machine.receive(b"" if state is State.SELECTING else b"a2 OK in\r\n")
            if state is State.DESELECTING:
                machine.send(Close())
        case State.LEAVING | State.CLOSED:
            machine.send(Logout())
            machine.receive(b"* BYE bye\r\na2 OK out\r\n" if state is State.CLOSED else b"")
        case State.DISMISSED:
            machine.receive(b"* BYE bye\r\n")
        case State.BROKEN:
            machine = Machine()
            feed(machine, [b"+OK POP3\r\n"])
    assert machine.state is state
    return machine


def feed(machine: Machine, pieces: Iterable[bytes]) -> tuple[list[Response], RemoteProtocolError | None]:
    """Feed the pieces; return all responses, and the error that ended the dialogue."""
    responses: list[Response] = []
    try:
        for piece in pieces:
            responses += machine.receive(piece)
        machine.check()
    except RemoteProtocolError as error:
        return responses, error
    return responses, None
