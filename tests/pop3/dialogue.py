"""What the tests of the machine share: machines in a given state, events made comparable."""

from __future__ import annotations

from collections.abc import Iterable

from tui_popretr.pop3 import (
    Apop,
    Auth,
    Authentication,
    BodyChunk,
    Event,
    Machine,
    Quit,
    RemoteProtocolError,
    SaslCancel,
    State,
    Stls,
)
from tui_popretr.sasl import Endpoint, begin
from tui_popretr.secret import Secret


def greeted() -> Machine:
    """Return a machine in AUTHORIZATION."""
    machine = Machine()
    machine.receive(b"+OK\r\n")
    return machine


def logged_in() -> Machine:
    """Return a machine in TRANSACTION."""
    machine = greeted()
    machine.send(Apop("me", Secret("c4c9334bac560ecc979e58001b3e22fb")))
    machine.receive(b"+OK\r\n")
    return machine


def authentication(
    mechanism: str,
    username: str | None,
    password: Secret | None,
    *,
    initial_response: bool = False,
    server: Endpoint | None = None,
) -> Authentication:
    """Return a new exchange in POP3's form."""
    return Authentication(begin(mechanism, username, password, server), initial_response=initial_response)


def in_state(state: State) -> Machine:
    """Return a machine in any state, brought there by a dialogue."""
    machine = Machine() if state is State.GREETING else greeted()
    match state:
        case State.STARTING_TLS | State.TLS_HANDSHAKE:
            machine.send(Stls())
            machine.receive(b"+OK\r\n" if state is State.TLS_HANDSHAKE else b"")
        case State.LOGGING_IN | State.CHALLENGED | State.CANCELLING:
            machine.send(Auth("PLAIN"))
            machine.receive(b"" if state is State.LOGGING_IN else b"+ \r\n")
            if state is State.CANCELLING:
                machine.send(SaslCancel())
        case State.LEAVING | State.CLOSED:
            machine.send(Quit())
            machine.receive(b"+OK\r\n" if state is State.CLOSED else b"")
        case State.TRANSACTION | State.QUITTING | State.UPDATE:
            machine = logged_in()
            if state is not State.TRANSACTION:
                machine.send(Quit())
                machine.receive(b"+OK\r\n" if state is State.UPDATE else b"")
        case State.BROKEN:
            feed(machine, [b"220 hello\r\n"])
    assert machine.state is state
    return machine


def feed(machine: Machine, pieces: Iterable[bytes]) -> tuple[list[Event], RemoteProtocolError | None]:
    """Feed the pieces; return all events, chunks merged, and the error that ended the dialogue."""
    events: list[Event] = []
    try:
        for piece in pieces:
            events += machine.receive(piece)
        machine.check()
    except RemoteProtocolError as error:
        return merged(events), error
    return merged(events), None


def merged(events: Iterable[Event]) -> list[Event]:
    """Join neighbouring chunks, checking what each of them promises."""
    result: list[Event] = []
    for event in events:
        if isinstance(event, BodyChunk):
            bare_cr = b"\r" in event.data.replace(b"\r\n", b"")
            assert event.data
            assert event.canonical is not bare_cr
            last = result[-1] if result else None
            if isinstance(last, BodyChunk) and last.command is event.command:
                assert not (last.data.endswith(b"\r") and event.data.startswith(b"\n"))
                result[-1] = BodyChunk(event.command, last.data + event.data, last.canonical and event.canonical)
                continue
        result.append(event)
    return result
